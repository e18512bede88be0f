//! Draws a run on a terminal of any size; what does not fit is cut off at the bottom.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize as _};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, LineGauge, Paragraph, Row, Sparkline, Table};

use super::history::{History, Second, Usage};
use crate::measure::names::count;
use crate::measure::server::metric;
use crate::report::units::{bytes, clock, micros, number, short, whole};

/// Seconds that charts look back.
const WINDOW: usize = 300;
/// Lines of a chart, in the order of its legend. Told apart by those who see fewer colours, too: their brightness differs.
const COLORS: [Color; 3] = [Color::Cyan, Color::Yellow, Color::Magenta];

/// One line of a chart: its name with the latest value, and its points.
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Draws it all.
pub(super) fn draw(frame: &mut Frame<'_>, history: &History, elapsed: Duration) {
    let [head, bar, charts, tables, sparks, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(8),
        Constraint::Length(8),
        Constraint::Length(4),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let title = Line::from(vec![
        Span::from(" linnet-loadtest ").bold().reversed(),
        Span::from(format!(" {}", history.title)).bold(),
        Span::from(format!("  {}", clock(elapsed.as_secs_f64()))),
    ]);
    frame.render_widget(title, head);
    progress(frame, bar, history, elapsed);
    let [left, right] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(charts);
    let seconds = &history.seconds[history.seconds.len().saturating_sub(WINDOW)..];
    rates(frame, left, history, seconds);
    latencies(frame, right, history, seconds);
    let [left, right] = Layout::horizontal([Constraint::Percentage(60), Constraint::Percentage(40)]).areas(tables);
    times(frame, left, history);
    so_far(frame, right, history);
    usage(frame, sparks, history, seconds);
    frame.render_widget(Line::from(" q ends early and reports").dim(), foot);
}

fn progress(frame: &mut Frame<'_>, area: Rect, history: &History, elapsed: Duration) {
    let (ratio, label) = history.progress(elapsed);
    let gauge = LineGauge::default()
        .ratio(ratio)
        .label(format!(" {label}"))
        .filled_style(Style::new().fg(Color::Cyan))
        .unfilled_style(Style::new().fg(Color::DarkGray));
    frame.render_widget(gauge, area);
}

fn rates(frame: &mut Frame<'_>, area: Rect, history: &History, seconds: &[Second]) {
    let rates = history.rates();
    let series: Vec<Series> = (rates.iter().take(COLORS.len()))
        .map(|name| {
            let of = |second: &Second| second.counts.get(*name).copied().unwrap_or(0);
            let latest = seconds.last().map_or(0, of);
            Series {
                name: format!("{name} {}/s", whole(latest)),
                points: seconds.iter().map(|second| (second.at, of(second) as f64)).collect(),
            }
        })
        .collect();
    let top = series.iter().flat_map(|series| &series.points).map(|&(_, y)| y).fold(1.0, f64::max);
    let top = nice(top);
    chart(frame, area, "rate", &series, [0.0, top], vec!["0".to_owned(), short(top / 2.0), short(top)]);
}

/// Latencies span decades, so their axis is logarithmic.
fn latencies(frame: &mut Frame<'_>, area: Rect, history: &History, seconds: &[Second]) {
    let timings = history.timings();
    let mut series = Vec::new();
    for (at, name) in timings.iter().take(2).enumerate() {
        let quantiles: &[(&str, bool)] = if at == 0 { &[("p50", false), ("p99", true)] } else { &[("p99", true)] };
        for &(quantile, high) in quantiles {
            let of = |second: &Second| {
                let &(p50, p99) = second.times.get(*name)?;
                Some(if high { p99 } else { p50 } as f64)
            };
            let latest = seconds.last().and_then(of).map_or_else(|| "-".to_owned(), micros);
            let points = seconds.iter().filter_map(|second| Some((second.at, of(second)?.max(1.0).log10())));
            series.push(Series { name: format!("{name} {quantile} {latest}"), points: points.collect() });
        }
    }
    let all = || series.iter().flat_map(|series| &series.points).map(|&(_, y)| y);
    let (low, high) = (all().fold(f64::MAX, f64::min), all().fold(f64::MIN, f64::max));
    let (low, high) = if low > high { (2.0, 4.0) } else { (low.floor(), high.ceil().max(low.floor() + 1.0)) };
    let labels = (low as i32..=high as i32).map(|decade| micros(10f64.powi(decade))).collect();
    chart(frame, area, "latency", &series, [low, high], labels);
}

fn chart(frame: &mut Frame<'_>, area: Rect, title: &str, series: &[Series], y: [f64; 2], labels: Vec<String>) {
    let mut head = vec![Span::from(format!(" {title} "))];
    let colored = series.iter().zip(COLORS);
    head.extend(colored.clone().map(|(series, color)| Span::from(format!("{} ", series.name)).fg(color).bold()));
    let datasets = colored.map(|(series, color)| {
        let line = Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line);
        line.style(Style::new().fg(color)).data(&series.points)
    });
    let datasets = datasets.collect();
    let ends = series.first().and_then(|series| Some((series.points.first()?.0, series.points.last()?.0)));
    let (from, to) = ends.unwrap_or((0.0, 1.0));
    let x = Axis::default().bounds([from, to.max(from + 1.0)]).labels([clock(from), clock(to)]);
    let y = Axis::default().bounds(y).labels(labels);
    let axes = Style::new().fg(Color::DarkGray);
    let chart = Chart::new(datasets)
        .block(Block::bordered().border_style(axes).title(Line::from(head)))
        .x_axis(x.style(axes))
        .y_axis(y.style(axes))
        .legend_position(None);
    frame.render_widget(chart, area);
}

/// The least of 1, 2, 2.5, 5 and their tens that is no smaller.
fn nice(value: f64) -> f64 {
    let decade = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0].into_iter().map(|step| step * decade).find(|&step| step >= value).unwrap_or(10.0 * decade)
}

fn panel(title: &str) -> Block<'_> {
    Block::bordered().border_style(Style::new().fg(Color::DarkGray)).title(Span::from(format!(" {title} ")).bold())
}

fn times(frame: &mut Frame<'_>, area: Rect, history: &History) {
    let now = history.now();
    let rows = history.timings().into_iter().filter_map(|name| {
        let all = history.times.get(name)?.summary();
        let (p50, p99) = now.times.get(name).copied().unzip();
        let told = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), |us| micros(us as f64));
        let cells = [
            told(p50),
            told(p99),
            told(Some(all.p50_us)),
            told(Some(all.p99_us)),
            told(Some(all.p999_us)),
            told(Some(all.max_us)),
        ];
        Some(Row::new(std::iter::once(name.to_owned()).chain(cells)))
    });
    let widths = std::iter::once(Constraint::Length(9)).chain(std::iter::repeat_n(Constraint::Fill(1), 6));
    let head = Row::new(["", "now p50", "p99", "all p50", "p99", "p99.9", "max"]).dim();
    frame.render_widget(Table::new(rows, widths).header(head).block(panel("latency, this second and in all")), area);
}

/// Books and trouble so far.
fn so_far(frame: &mut Frame<'_>, area: Rect, history: &History) {
    let [sent, acked, received] = [count::SENT, count::ACKED, count::RECEIVED].map(|name| history.count(name));
    let mut lines = Vec::new();
    if sent > 0 {
        let under_way = sent.saturating_sub(acked + history.count(count::REFUSED));
        lines.push(Line::from(format!("{} sent, {} under way", whole(sent), whole(under_way))));
        lines.push(Line::from(format!("{} acked, {} received", whole(acked), whole(received))));
    }
    match history.count(count::REQUESTS) {
        0 => {}
        requests => lines.push(Line::from(format!("{} requests", whole(requests)))),
    }
    lines.push(Line::from(format!(
        "{} logins, {} connections",
        whole(history.count(count::CONNECTED)),
        history.now().connections
    )));
    let now = history.now();
    if let (Some(fsyncs), Some(entries)) = (now.metrics.get(metric::FSYNCS), now.metrics.get(metric::ENTRIES)) {
        let each = if *fsyncs > 0.0 { format!(", {} messages each", number(entries / fsyncs)) } else { String::new() };
        let queued =
            now.metrics.get(metric::QUEUED).map_or_else(String::new, |queued| format!(", {} queued", number(*queued)));
        lines.push(Line::from(format!("{} fsyncs/s{each}{queued}", number(*fsyncs))));
    }
    let trouble: Vec<String> = (count::TROUBLE.iter())
        .filter(|name| history.count(name) > 0)
        .map(|name| format!("{} {name}", whole(history.count(name))))
        .collect();
    lines.push(if trouble.is_empty() {
        Line::from("no errors").fg(Color::Green)
    } else {
        Line::from(trouble.join(", ")).fg(Color::Red)
    });
    frame.render_widget(Paragraph::new(lines).block(panel("so far")), area);
}

fn usage(frame: &mut Frame<'_>, area: Rect, history: &History, seconds: &[Second]) {
    let now = history.now();
    let told = |who: &str, usage: Usage| match usage.rss {
        0 => format!("{who}: not watched"),
        rss => format!("{who} {} cores, {}", number(usage.cores), bytes(rss as f64)),
    };
    let mills = |usage: Usage| (usage.cores * 1000.0) as u64;
    let each = |of: &dyn Fn(&Second) -> u64| seconds.iter().map(of).collect::<Vec<u64>>();
    let panels = [
        (told("server", now.server), each(&|second| mills(second.server)), Color::Cyan),
        (told("generator", now.generator), each(&|second| mills(second.generator)), Color::Yellow),
        (
            format!("{} connections", now.connections),
            each(&|second| u64::try_from(second.connections).unwrap_or(0)),
            Color::Magenta,
        ),
    ];
    let areas: [Rect; 3] = Layout::horizontal([Constraint::Fill(1); 3]).areas(area);
    for ((title, data, color), area) in panels.into_iter().zip(areas) {
        let shown = &data[data.len().saturating_sub(usize::from(area.width.saturating_sub(2)))..];
        let sparkline = Sparkline::default().data(shown).style(Style::new().fg(color)).block(panel(&title));
        frame.render_widget(sparkline, area);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::history::tests::told;
    use super::*;
    use crate::run::message::Milestone;

    fn drawn(history: &History, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, history, Duration::from_secs(9))).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_run_under_way_fills_the_screen() {
        let mut history = told(9);
        history.milestone(Milestone::Connected, Duration::from_secs(3));
        insta::assert_snapshot!(drawn(&history, 110, 32));
    }

    #[test]
    fn the_first_moment_and_small_terminals_can_be_drawn() {
        let history = told(0);
        assert!(drawn(&history, 100, 30).contains("connecting: 0 of"));
        for (width, height) in [(80, 24), (40, 10), (10, 3), (1, 1)] {
            drawn(&told(9), width, height);
        }
    }

    #[test]
    fn trouble_is_told() {
        let mut history = told(5);
        history.counts.insert(count::REFUSED.to_owned(), 12);
        assert!(drawn(&history, 100, 30).contains("12 refused"));
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        assert_eq!([1.0, 3.0, 99.0, 2_300.0, 5_100.0].map(nice), [1.0, 5.0, 100.0, 2_500.0, 10_000.0]);
    }
}
