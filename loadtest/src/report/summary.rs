//! An outcome in plain words, for someone who has never seen one.

use super::units::{bytes, figure, micros, number, whole};
use crate::measure::latency::Summary;
use crate::measure::names::{count, timing};
use crate::outcome::Outcome;

/// Sentences, the weightiest first. What was not measured is not mentioned.
pub(super) fn sentences(outcome: &Outcome) -> Vec<String> {
    let told = [work(outcome), deliveries(outcome), returns(outcome), connections(outcome), cost(outcome)];
    told.into_iter().flatten().chain([disk(outcome), books(outcome)].into_iter().flatten()).collect()
}

fn of(outcome: &Outcome, name: &str) -> Option<f64> {
    outcome.figures.get(name).copied()
}

fn times<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a Summary> {
    outcome.timings.get(name).filter(|times| times.count > 0)
}

/// `half within 230 µs, 99 of 100 within 1.2 ms`
fn within(times: &Summary) -> String {
    format!("half within {}, 99 of 100 within {}", micros(times.p50_us as f64), micros(times.p99_us as f64))
}

fn work(outcome: &Outcome) -> Option<String> {
    let done = [("acked per second", "messages", timing::ACK), ("requests per second", "calls", timing::REQUEST)];
    let told: Vec<String> = (done.iter())
        .filter_map(|&(figure, what, timing)| {
            let (rate, times) = (of(outcome, figure)?, times(outcome, timing)?);
            let answered = if what == "messages" { "acknowledged" } else { "answered" };
            Some(if outcome.open {
                format!("{} {what} a second were {answered}, {}", number(rate), within(times))
            } else {
                format!("{} {what} a second", number(rate))
            })
        })
        .collect();
    if told.is_empty() {
        return None;
    }
    let told = told.join("; ");
    Some(if outcome.open {
        format!("At the planned pace, {told}.")
    } else {
        format!(
            "As fast as it went, {told}: the most that server and load generator together can do where they run. \
             Under such pressure latencies tell of queues; for those of daily life, run again with --rate."
        )
    })
}

fn deliveries(outcome: &Outcome) -> Option<String> {
    let times = times(outcome, timing::DELIVERY)?;
    let rate = of(outcome, "received per second")?;
    let room = self::times(outcome, timing::ROOM)
        .map_or_else(String::new, |room| format!(" The last reader of each group had it: {}.", within(room)));
    let pace = format!("{} deliveries a second", number(rate));
    Some(if outcome.open {
        format!("Receivers had their messages, {pace}, {}.{room}", within(times))
    } else {
        format!("Receivers got {pace}.{room}")
    })
}

fn returns(outcome: &Outcome) -> Option<String> {
    let outage = times(outcome, timing::OUTAGE).map(|times| {
        format!("After their connections broke, {} sessions were back, {}.", whole(times.count), within(times))
    });
    let sync = times(outcome, timing::SYNC)
        .map(|times| format!("Whoever had missed messages had them all after logging in, {}.", within(times)));
    let told: Vec<String> = outage.into_iter().chain(sync).collect();
    (!told.is_empty()).then(|| told.join(" "))
}

fn connections(outcome: &Outcome) -> Option<String> {
    let connected = Some(outcome.count(count::CONNECTED)).filter(|&count| count > 0)?;
    let logins = times(outcome, timing::LOGIN).map_or_else(String::new, |times| format!(", {}", within(times)));
    let memory = of(outcome, "server bytes per connection")
        .filter(|&per| per > 0.0 && connected >= 1000)
        .map_or_else(String::new, |per| format!(" Each holds {} of the server's memory.", bytes(per)));
    Some(format!("{} logins were made over {}{logins}.{memory}", whole(connected), outcome.plan.target.transport))
}

fn cost(outcome: &Outcome) -> Option<String> {
    let told = [("server us per message", "message", "messages"), ("server us per request", "call", "calls")];
    let (name, one, many) = *told.iter().find(|(name, ..)| of(outcome, name).is_some_and(|us| us > 0.0))?;
    let us = of(outcome, name)?;
    Some(format!(
        "Each {one} costs the server {} of processor time; a core of its own would be full at about {} {many} a second of this kind.",
        figure(name, us),
        number(1e6 / us)
    ))
}

fn disk(outcome: &Outcome) -> Option<String> {
    let (fsyncs, messages) = (of(outcome, "fsyncs per second")?, of(outcome, "messages per fsync")?);
    Some(format!(
        "The server wrote to its disk and waited for it {} times a second, {} each, for {} messages at a time.",
        number(fsyncs),
        micros(of(outcome, "fsync us")?),
        number(messages)
    ))
}

fn books(outcome: &Outcome) -> Option<String> {
    let ledger = &outcome.ledger;
    if ledger.sent == 0 {
        return None;
    }
    let faults: Vec<String> = (ledger.faults().iter())
        .filter(|(_, count)| *count > 0)
        .map(|(fault, count)| format!("{} {fault}", whole(*count)))
        .collect();
    Some(if faults.is_empty() {
        format!("All {} messages are accounted for: none lost, doubled or out of order.", whole(ledger.sent))
    } else {
        format!("Promises were broken: {}.", faults.join(", "))
    })
}
