//! Which charts an outcome has the numbers for.

use maud::{Markup, html};

use super::chart::{Chart, Scale, Series};
use super::points::Points;
use crate::measure::names::{count, timing};
use crate::measure::server::metric;
use crate::outcome::Outcome;
use crate::report::units::{bytes, clock, micros, number, short};
use crate::run::message::Milestone;

/// Colors of lines that are different things.
const COLORS: [&str; 6] = ["c1", "c2", "c3", "c4", "c5", "c6"];
/// Rates worth a line.
const RATES: [&str; 4] = [count::ACKED, count::RECEIVED, count::REQUESTS, count::CALLS];
/// Times worth a chart of their own, with a word on what is timed.
const TIMINGS: [(&str, &str, &str); 9] = [
    (timing::ACK, "Latency: until acknowledged", "From the time a message was due until the sender knew it to be safe"),
    (timing::REQUEST, "Latency: calls", "From the time a call was due until its answer"),
    (timing::DELIVERY, "Latency: until delivered", "From the time a message was due until its receiver had it"),
    (timing::SLOW_DELIVERY, "Latency: slow readers", "The same, of readers that stop reading now and then on purpose"),
    (
        timing::CALL,
        "Latency: questions",
        "From the time a question was due until its answer, over the gateway's connection",
    ),
    (timing::ROOM, "Latency: whole group", "From the time a message was due until the last online reader had it"),
    (timing::OUTAGE, "Return after a cut", "From the loss of a connection until the session was open again"),
    (timing::SYNC, "Catching up", "From a login until everything missed was there"),
    (timing::LOGIN, "Logins", "From beginning to connect until logged in"),
];

/// All of them, weightiest first.
pub(super) fn all(outcome: &Outcome) -> Markup {
    let view = View { outcome, points: Points::of(outcome) };
    let timings = outcome.timings.iter().filter(|(_, times)| times.count > 0).count();
    html! {
        (view.rates())
        @for (name, title, caption) in TIMINGS {
            // A few logins at the beginning make no line over time.
            @if name != timing::LOGIN || timings == 1 { (view.latency(name, title, caption)) }
        }
        (percentiles(outcome))
        (view.connections())
        (view.cores())
        (view.memory())
        (view.metric("Syncs of the disk", "How often a second the server waited for its disk", metric::FSYNCS, "fsyncs"))
        (view.sharing())
        (view.trouble())
    }
}

struct View<'a> {
    outcome: &'a Outcome,
    points: Points,
}

impl View<'_> {
    fn over_time(
        &self,
        title: &str,
        caption: &str,
        series: Vec<Series>,
        scale: Scale,
        unit: &dyn Fn(f64) -> String,
    ) -> Markup {
        let event = |milestone, name| Some((self.outcome.snapshot(milestone)?.seconds, name));
        let loaded = event(Milestone::Loaded, "ends");
        let marks = super::chart::linear(self.points.end()).into_iter().filter(|&at| at <= self.points.end());
        Chart {
            title,
            caption,
            x: self.points.x(),
            series,
            scale,
            unit,
            marks: marks.map(|at| (at, clock(at))).collect(),
            at: &clock,
            events: event(Milestone::Connected, "load begins").into_iter().chain(loaded).collect(),
        }
        .draw()
    }

    fn rates(&self) -> Markup {
        let names = RATES.into_iter().filter(|name| self.outcome.count(name) > 0).collect::<Vec<_>>();
        let names = if names.is_empty() { vec![count::CONNECTED] } else { names };
        let series = names.into_iter().zip(COLORS).map(|(name, class)| Series {
            name: name.to_owned(),
            class,
            values: self.points.each(|point| Some(point.count(name))),
        });
        let caption = if self.outcome.open {
            "What was done each second"
        } else {
            "What was done each second, as fast as it went"
        };
        self.over_time("Rate", caption, series.collect(), Scale::Linear, &|value| format!("{}/s", short(value)))
    }

    fn latency(&self, name: &str, title: &str, caption: &str) -> Markup {
        let quantiles = [("p50", 0.5, "q1"), ("p90", 0.9, "q2"), ("p99", 0.99, "q3")];
        let series = quantiles.map(|(label, quantile, class)| Series {
            name: label.to_owned(),
            class,
            values: self.points.each(|point| point.quantile(name, quantile)),
        });
        self.over_time(title, caption, series.into(), Scale::Log, &micros)
    }

    fn connections(&self) -> Markup {
        let values = self.points.each(|point| Some(point.connections));
        let series = vec![Series { name: "open".to_owned(), class: "c1", values }];
        self.over_time("Connections", "Sessions open at the end of each second", series, Scale::Linear, &short)
    }

    /// Lines of server and generator; a server that nobody watched has none.
    fn usage(&self, of: impl Fn(&super::points::Usage) -> f64) -> Vec<Series> {
        let server = self.points.each(|point| (point.server.rss > 0.0).then(|| of(&point.server)));
        let generator = self.points.each(|point| (point.generator.rss > 0.0).then(|| of(&point.generator)));
        let lines = [("server", "c1", server), ("generator", "c2", generator)];
        lines.into_iter().map(|(name, class, values)| Series { name: name.to_owned(), class, values }).collect()
    }

    fn cores(&self) -> Markup {
        let cores = self.outcome.environment.cores;
        let caption = if cores > 0 { format!("Cores in use, of {cores}") } else { "Cores in use".to_owned() };
        self.over_time("Processor", &caption, self.usage(|usage| usage.cores), Scale::Linear, &number)
    }

    fn memory(&self) -> Markup {
        let series = self.usage(|usage| usage.rss);
        self.over_time("Memory", "Resident memory of the processes", series, Scale::Linear, &bytes)
    }

    fn metric(&self, title: &str, caption: &str, name: &str, label: &str) -> Markup {
        let values = self.points.each(|point| point.metric(name));
        let series = vec![Series { name: label.to_owned(), class: "c1", values }];
        self.over_time(title, caption, series, Scale::Linear, &|value| format!("{}/s", short(value)))
    }

    fn sharing(&self) -> Markup {
        let values = self.points.each(|point| {
            let (entries, fsyncs) = (point.metric(metric::ENTRIES)?, point.metric(metric::FSYNCS)?);
            (fsyncs > 0.0).then(|| entries / fsyncs)
        });
        let series = vec![Series { name: "messages".to_owned(), class: "c1", values }];
        self.over_time(
            "Messages per sync",
            "How many messages became safe with one wait for the disk",
            series,
            Scale::Linear,
            &short,
        )
    }

    fn trouble(&self) -> Markup {
        let seen = count::TROUBLE.into_iter().filter(|name| self.outcome.count(name) > 0);
        let series = seen.zip(COLORS).map(|(name, class)| Series {
            name: name.to_owned(),
            class,
            values: self.points.each(|point| Some(point.count(name))),
        });
        self.over_time("Errors", "What went wrong each second", series.collect(), Scale::Linear, &|value| {
            format!("{}/s", short(value))
        })
    }
}

/// The whole distribution: how long the slowest of so many waited. Each step to the right is ten times rarer.
fn percentiles(outcome: &Outcome) -> Markup {
    let shown = || outcome.histograms.iter().filter(|(name, times)| *name != timing::LAG && !times.is_empty());
    let most = shown().map(|(_, times)| times.count()).max().unwrap_or(1) as f64;
    let end = most.log10().clamp(1.0, 6.0);
    let x: Vec<f64> = (0..=120).map(|step| f64::from(step) / 120.0 * end).collect();
    let series = shown().zip(COLORS).map(|((name, times), class)| {
        // Beyond one in as many as there are, there is nothing to know.
        let known = (times.count() as f64).log10();
        let at = |x: f64| times.at(1.0 - 10f64.powf(-x)) as f64;
        let values = x.iter().map(|&x| (x <= known + 0.05).then(|| at(x))).collect();
        Series { name: name.clone(), class, values }
    });
    let rarities = ["90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];
    let marks = rarities.iter().enumerate().map(|(at, label)| (at as f64 + 1.0, (*label).to_owned()));
    Chart {
        title: "Latency: the whole distribution",
        caption: "This share waited no longer. Each step to the right is ten times rarer",
        series: series.collect(),
        scale: Scale::Log,
        unit: &micros,
        marks: marks.filter(|(at, _)| *at <= end).chain([(0.5f64.log10().abs(), "50 %".to_owned())]).collect(),
        at: &|x| format!("{} %", percent(x)),
        events: Vec::new(),
        x,
    }
    .draw()
}

/// With as many nines as it takes.
fn percent(x: f64) -> String {
    let digits = x.ceil() as usize;
    format!("{:.digits$}", 100.0 * (1.0 - 10f64.powf(-x)))
}
