//! Line charts as inline SVG: few grid lines, units on the axis, each line named at its end.

use maud::{Markup, html};

/// Size of the drawing and of the margins around the plot, in SVG's own units.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 92.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 28.0;
/// Names at the ends of lines stay so far apart.
const LINE_HEIGHT: f64 = 15.0;
/// Most labels on an axis.
const TICKS: usize = 5;

/// How a value becomes a height.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly, from 0.
    Linear,
    /// A step for each decade.
    Log,
}

/// One line.
pub(super) struct Series {
    /// Written at its end.
    pub(super) name: String,
    /// CSS class that colors it: `c1` to `c6`, or `q1` to `q3` for shades of one color.
    pub(super) class: &'static str,
    /// A value for each x, or none.
    pub(super) values: Vec<Option<f64>>,
}

/// A chart.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    /// What is counted, and in what; one sentence.
    pub(super) caption: &'a str,
    pub(super) x: Vec<f64>,
    pub(super) series: Vec<Series>,
    pub(super) scale: Scale,
    /// Writes a value with its unit.
    pub(super) unit: &'a dyn Fn(f64) -> String,
    /// Labels of the x axis: where, and what.
    pub(super) marks: Vec<(f64, String)>,
    /// What hovering calls an x.
    pub(super) at: &'a dyn Fn(f64) -> String,
    /// Where something began or ended, with its name.
    pub(super) events: Vec<(f64, &'static str)>,
}

/// From values to places.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    scale: Scale,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        let (from, to) = self.x;
        LEFT + (value - from) / (to - from).max(f64::EPSILON) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let height = |value: f64| if self.scale == Scale::Log { value.max(1e-9).log10() } else { value };
        let (from, to) = (height(self.y.0), height(self.y.1));
        let share = ((height(value) - from) / (to - from).max(f64::EPSILON)).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }
}

impl Chart<'_> {
    /// The figure: title, caption, drawing. Nothing at all where there is nothing to draw.
    pub(super) fn draw(&self) -> Markup {
        let values = || self.series.iter().flat_map(|series| series.values.iter().flatten().copied());
        if self.x.is_empty() || values().next().is_none() {
            return html! {};
        }
        let (low, high) = values().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let ticks = match self.scale {
            Scale::Linear => linear(high),
            Scale::Log => log(low.max(1.0), high.max(1.0)),
        };
        let first = self.marks.iter().map(|(at, _)| *at).chain(self.x.first().copied()).fold(f64::MAX, f64::min);
        let ends = (first, self.x.last().copied().unwrap_or(1.0));
        let y = (ticks.first().copied().unwrap_or(0.0), ticks.last().copied().unwrap_or(1.0));
        let frame = Frame { x: ends, y, scale: self.scale };
        let bottom = HEIGHT - BOTTOM;
        html! {
            figure class="chart" {
                h3 { (self.title) }
                p class="caption" { (self.caption) }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.title) data-hover=(self.hover(&frame)) {
                    @for &tick in &ticks {
                        line class="grid" x1=(LEFT) x2=(WIDTH - RIGHT) y1=(px(frame.y(tick))) y2=(px(frame.y(tick))) {}
                        text class="tick" x=(LEFT - 8.0) y=(px(frame.y(tick) + 4.0)) text-anchor="end" { ((self.unit)(tick)) }
                    }
                    @for (at, label) in &self.marks {
                        text class="tick" x=(px(frame.x(*at))) y=(px(bottom + 18.0)) text-anchor="middle" { (label) }
                    }
                    @for (at, name) in self.events.iter().filter(|(at, _)| *at >= ends.0 && *at <= ends.1) {
                        line class="event" x1=(px(frame.x(*at))) x2=(px(frame.x(*at))) y1=(TOP - 4.0) y2=(bottom) {}
                        text class="event" x=(px(frame.x(*at) + 4.0)) y=(TOP - 6.0) { (name) }
                    }
                    @for series in &self.series {
                        path class=(format!("line {}", series.class)) d=(self.path(series, &frame)) {}
                    }
                    @for (name, class, at) in self.names(&frame) {
                        text class=(format!("name {class}")) x=(WIDTH - RIGHT + 8.0) y=(px(at + 4.0)) { (name) }
                    }
                    line class="cursor" y1=(TOP) y2=(bottom) x1="-9" x2="-9" {}
                }
            }
        }
    }

    /// A line with holes where there is no value; a value alone between holes is a dot.
    fn path(&self, series: &Series, frame: &Frame) -> String {
        use std::fmt::Write as _;
        let mut path = String::new();
        let mut drawing = false;
        for (&x, value) in self.x.iter().zip(&series.values) {
            let Some(value) = value else {
                drawing = false;
                continue;
            };
            let (x, y) = (px(frame.x(x)), px(frame.y(*value)));
            // Writing to a string cannot fail.
            let _ = if drawing { write!(path, "L{x} {y}") } else { write!(path, "M{x} {y}h0") };
            drawing = true;
        }
        path
    }

    /// Where each line's name goes: at its end, moved apart from the others.
    fn names(&self, frame: &Frame) -> Vec<(&str, &'static str, f64)> {
        let mut names: Vec<(&str, &'static str, f64)> = (self.series.iter())
            .filter_map(|series| {
                let last = series.values.iter().rev().flatten().next()?;
                Some((series.name.as_str(), series.class, frame.y(*last)))
            })
            .collect();
        names.sort_by(|a, b| a.2.total_cmp(&b.2));
        for at in 1..names.len() {
            names[at].2 = names[at].2.max(names[at - 1].2 + LINE_HEIGHT);
        }
        // What was pushed out at the bottom moves back up, and the others before it.
        let mut limit = HEIGHT - BOTTOM;
        for name in names.iter_mut().rev() {
            name.2 = name.2.min(limit);
            limit = name.2 - LINE_HEIGHT;
        }
        names
    }

    /// What the script shows under the mouse: `[[x, label, [[class, name, value], …]], …]`.
    fn hover(&self, frame: &Frame) -> String {
        let columns: Vec<_> = (self.x.iter().enumerate())
            .map(|(at, &x)| {
                let values: Vec<_> = (self.series.iter())
                    .filter_map(|series| {
                        let value = (*series.values.get(at)?)?;
                        Some((series.class, series.name.as_str(), (self.unit)(value)))
                    })
                    .collect();
                (frame.x(x).round(), (self.at)(x), values)
            })
            .collect();
        serde_json::to_string(&columns).unwrap_or_default()
    }
}

/// A tenth of a unit is finer than any screen.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Round numbers from 0 to the first above `high`.
pub(super) fn linear(high: f64) -> Vec<f64> {
    let high = if high > 0.0 { high } else { 1.0 };
    let step = step(high / (TICKS - 1) as f64);
    let count = (high / step - 1e-9).ceil().max(1.0) as usize;
    (0..=count).map(|at| at as f64 * step).collect()
}

/// The least of 1, 2, 2.5, 5 and their tens that is no smaller.
fn step(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .map(|step| step * decade)
        .find(|&step| step >= least * 0.999)
        .unwrap_or(10.0 * decade)
}

/// Decades around the values; where these are few, 1, 2 and 5 of each.
fn log(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let fine: Vec<f64> =
        (first..=last).flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10f64.powi(decade))).collect();
    let from = fine.iter().rposition(|&tick| tick <= low).unwrap_or(0);
    let to = fine.iter().position(|&tick| tick >= high).unwrap_or(fine.len() - 1).max(from + 1);
    let fine = &fine[from..=to];
    if fine.len() <= TICKS + 2 {
        return fine.to_vec();
    }
    (first..=last).map(|decade| 10f64.powi(decade)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[Option<f64>]) -> Chart<'static> {
        Chart {
            title: "rate",
            caption: "messages a second",
            x: (0..values.len()).map(|x| x as f64).collect(),
            series: vec![Series { name: "acked".to_owned(), class: "c1", values: values.to_vec() }],
            scale: Scale::Linear,
            unit: &|value| format!("{value}/s"),
            marks: vec![(0.0, "0 s".to_owned())],
            at: &|x| format!("{x} s"),
            events: vec![(1.0, "load")],
        }
    }

    #[test]
    fn a_chart_is_one_svg() {
        insta::assert_snapshot!(chart(&[Some(10.0), Some(30.0), None, Some(20.0)]).draw().into_string());
    }

    #[test]
    fn nothing_to_draw_is_nothing() {
        assert_eq!(chart(&[None, None]).draw().into_string(), "");
        assert_eq!(chart(&[]).draw().into_string(), "");
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(linear(30.0), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(linear(5_012.0), [0.0, 2_000.0, 4_000.0, 6_000.0]);
        assert_eq!(linear(0.0), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(log(120.0, 900.0), [100.0, 200.0, 500.0, 1_000.0]);
        assert_eq!(log(120.0, 900_000.0), [100.0, 1e3, 1e4, 1e5, 1e6]);
    }

    #[test]
    fn names_do_not_lie_on_each_other() {
        let mut chart = chart(&[Some(1.0)]);
        for name in ["received", "sent"] {
            chart.series.push(Series { name: name.to_owned(), class: "c2", values: vec![Some(1.0)] });
        }
        let frame = Frame { x: (0.0, 1.0), y: (0.0, 100.0), scale: Scale::Linear };
        let names = chart.names(&frame);
        assert!(names.windows(2).all(|pair| pair[1].2 - pair[0].2 >= LINE_HEIGHT));
        assert!(names.iter().all(|name| name.2 <= HEIGHT - BOTTOM));
    }
}
