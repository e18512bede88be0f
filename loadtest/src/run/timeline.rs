//! Puts together what several workers tell of each second, and keeps a run of any length in a bounded number of rows.

use std::collections::BTreeMap;

use crate::measure::tick::Tick;

/// Rows kept, at most. More than a chart has room for, and half an hour of seconds.
const ROWS: usize = 1_800;

/// The seconds of a run, over all workers.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// The last second that each worker told of; [`u32::MAX`] once it tells no more.
    told: Vec<u32>,
    /// Levels of each worker in the last second that was put together. Who skips a second, or has ended, still counts with them.
    levels: Vec<Tick>,
    /// Seconds that some have told and others not yet.
    open: BTreeMap<u32, BTreeMap<usize, Tick>>,
    last: u32,
    rows: Vec<Tick>,
    /// Seconds that a row may cover.
    width: u32,
}

impl Timeline {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            told: vec![0; workers],
            levels: vec![Tick::default(); workers],
            open: BTreeMap::new(),
            last: 0,
            rows: Vec::new(),
            width: 1,
        }
    }

    /// Takes a worker's tick. Its seconds only grow; one that does not is taken for the next.
    pub(crate) fn tell(&mut self, worker: usize, mut tick: Tick) {
        let second = tick.second.max(self.told[worker].saturating_add(1));
        self.told[worker] = second;
        tick.second = second;
        match self.open.entry(second).or_default().entry(worker) {
            std::collections::btree_map::Entry::Vacant(place) => drop(place.insert(tick)),
            std::collections::btree_map::Entry::Occupied(mut before) => before.get_mut().append(tick),
        }
    }

    /// The worker tells no more, and nobody waits for it.
    pub(crate) fn end(&mut self, worker: usize) {
        self.told[worker] = u32::MAX;
    }

    /// The next second that everybody has told, if there is one.
    pub(crate) fn next(&mut self) -> Option<Tick> {
        let everybody = self.told.iter().copied().min()?;
        let first = self.open.first_entry().filter(|first| *first.key() <= everybody)?;
        let (second, told) = first.remove_entry();
        let mut sum = Tick { second, span: second.saturating_sub(self.last), ..Tick::default() };
        self.last = second;
        for (worker, mut tick) in told {
            let gauges = std::mem::take(&mut tick.gauges);
            let generator = std::mem::take(&mut tick.generator);
            self.levels[worker] = Tick { gauges, generator, ..Tick::default() };
            sum.add(tick);
        }
        for levels in &self.levels {
            sum.add(levels.clone());
        }
        Some(sum)
    }

    /// Adds a row; in a long run, to the one before.
    pub(crate) fn enter(&mut self, tick: Tick) {
        push(&mut self.rows, tick, self.width);
        if self.rows.len() > ROWS {
            self.width = self.width.saturating_mul(2);
            let mut wider = Vec::with_capacity(ROWS / 2 + 1);
            for row in std::mem::take(&mut self.rows) {
                push(&mut wider, row, self.width);
            }
            self.rows = wider;
        }
    }

    pub(crate) fn into_rows(self) -> Vec<Tick> {
        self.rows
    }
}

fn push(rows: &mut Vec<Tick>, tick: Tick, width: u32) {
    match rows.last_mut() {
        Some(last) if last.span.saturating_add(tick.span) <= width => last.append(tick),
        _ => rows.push(tick),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::latency::Recorder;
    use crate::measure::process::Sample;

    fn tick(second: u32, sent: u64, open: i64) -> Tick {
        let times = Recorder::default();
        times.record(Duration::from_micros(sent));
        Tick {
            second,
            span: 1,
            counts: [("sent".to_owned(), sent)].into(),
            gauges: [("open".to_owned(), open)].into(),
            timings: [("ack".to_owned(), times.take())].into(),
            generator: Sample { rss: 10, cpu_us: u64::from(second), ..Sample::default() },
            ..Tick::default()
        }
    }

    fn told(tick: &Tick) -> (u32, u32, u64, i64) {
        (tick.second, tick.span, tick.counts["sent"], tick.gauges["open"])
    }

    #[test]
    fn a_second_is_shown_when_the_last_has_told_it() {
        let mut line = Timeline::new(2);
        line.tell(0, tick(1, 5, 1));
        line.tell(0, tick(2, 6, 2));
        assert!(line.next().is_none(), "the other has told nothing");
        line.tell(1, tick(1, 7, 30));
        let first = line.next().unwrap();
        assert_eq!(told(&first), (1, 1, 12, 31));
        assert_eq!(
            (first.timings["ack"].summary().count, first.generator),
            (2, Sample { rss: 20, cpu_us: 2, ..Sample::default() })
        );
        assert!(line.next().is_none());
    }

    #[test]
    fn who_skips_a_second_or_ends_keeps_its_levels() {
        let mut line = Timeline::new(2);
        line.tell(0, tick(1, 5, 1));
        line.tell(1, tick(1, 1, 30));
        line.tell(0, tick(2, 5, 2));
        line.tell(1, tick(3, 1, 40));
        line.tell(0, tick(3, 5, 3));
        line.end(0);
        line.tell(1, tick(4, 1, 50));
        let seconds: Vec<_> = std::iter::from_fn(|| line.next()).collect();
        assert_eq!(
            seconds.iter().map(told).collect::<Vec<_>>(),
            [(1, 1, 6, 31), (2, 1, 5, 32), (3, 1, 6, 43), (4, 1, 1, 53)]
        );
        assert_eq!(
            seconds[3].generator,
            Sample { rss: 20, cpu_us: 7, ..Sample::default() },
            "what it cost is not forgotten"
        );
    }

    #[test]
    fn a_second_that_nobody_told_belongs_to_the_next() {
        let mut line = Timeline::new(1);
        line.tell(0, tick(1, 1, 1));
        line.tell(0, tick(4, 1, 1));
        line.tell(0, tick(4, 2, 1));
        line.end(0);
        let seconds: Vec<_> = std::iter::from_fn(|| line.next()).map(|tick| told(&tick)).collect();
        assert_eq!(seconds, [(1, 1, 1, 1), (4, 3, 1, 1), (5, 1, 2, 1)]);
    }

    #[test]
    fn a_long_run_keeps_every_sample_in_few_rows() {
        let (mut line, hours) = (Timeline::new(1), 3 * 3600);
        let first = tick(1, 2, 1);
        for second in 1..=hours {
            line.tell(0, Tick { second, gauges: [("open".to_owned(), i64::from(second))].into(), ..first.clone() });
            let next = line.next().unwrap();
            line.enter(next);
            assert!(line.rows.len() <= ROWS);
        }
        let rows = line.into_rows();
        assert!(rows.len() > ROWS / 2);
        assert_eq!(rows.iter().map(|row| row.span).sum::<u32>(), hours);
        assert_eq!(rows.iter().map(|row| row.counts["sent"]).sum::<u64>(), 2 * u64::from(hours));
        assert_eq!(rows.iter().map(|row| row.timings["ack"].summary().count).sum::<u64>(), u64::from(hours));
        assert!(rows.iter().all(|row| row.gauges["open"] == i64::from(row.second)), "levels are those at the end");
        assert!(rows.is_sorted_by_key(|row| row.second));
    }
}
