//! The numbers that one comes for, large.

use maud::{Markup, html};

use crate::measure::names::{count, timing};
use crate::outcome::Outcome;
use crate::report::units::{bytes, figure, micros, number, whole};

/// As many as there are.
pub(super) fn tiles(outcome: &Outcome) -> Markup {
    let of = |name: &str| outcome.figures.get(name).copied().filter(|&value| value > 0.0);
    let mut tiles: Vec<(String, String, String)> = Vec::new();
    let rates = [("acked per second", "messages a second"), ("requests per second", "calls a second")];
    for (name, told) in rates {
        tiles.extend(of(name).map(|rate| {
            (number(rate), told.to_owned(), if outcome.open { "as planned".into() } else { "at most".into() })
        }));
    }
    let (acked, received) = (outcome.count(count::ACKED), outcome.count(count::RECEIVED));
    if received > acked + acked / 10 {
        tiles.extend(
            of("received per second").map(|rate| (number(rate), "deliveries a second".to_owned(), String::new())),
        );
    }
    let names = [
        (timing::ACK, "until acknowledged"),
        (timing::REQUEST, "until answered"),
        (timing::DELIVERY, "until delivered"),
        (timing::ROOM, "until the whole group has it"),
        (timing::OUTAGE, "until back"),
        (timing::SYNC, "until caught up"),
        (timing::LOGIN, "until logged in"),
    ];
    let timed = names
        .iter()
        .filter_map(|&(name, told)| Some((outcome.timings.get(name).filter(|times| times.count > 0)?, told)));
    tiles.extend(timed.take(2).map(|(times, told)| {
        (
            micros(times.p50_us as f64),
            format!("{told}, half of all"),
            format!("99 of 100 within {}", micros(times.p99_us as f64)),
        )
    }));
    let costs = [
        ("server us per message", "server time per message"),
        ("server us per request", "server time per call"),
        ("server us per login", "server time per login"),
    ];
    let cost = costs.iter().find_map(|&(name, told)| {
        Some((
            figure(name, of(name)?),
            told.to_owned(),
            of("server cores").map_or_else(String::new, |cores| format!("{} cores in use", number(cores))),
        ))
    });
    tiles.extend(cost);
    let connected = outcome.count(count::CONNECTED);
    if connected >= 1000 {
        let kernel =
            of("kernel bytes per connection").map_or_else(String::new, |kernel| format!("kernel {}", bytes(kernel)));
        tiles.extend(
            of("server bytes per connection")
                .map(|per| (bytes(per), "server memory per connection".to_owned(), kernel)),
        );
    }
    if outcome.ledger.sent > 0 {
        let faults: u64 = outcome.ledger.faults().iter().map(|(_, count)| count).sum();
        tiles.push((
            whole(faults),
            "lost, doubled or out of order".to_owned(),
            format!("of {} messages", whole(outcome.ledger.sent)),
        ));
    }
    html! {
        div class="tiles" {
            @for (value, told, more) in tiles {
                div class="tile" { div class="value" { (value) } div { (told) } @if !more.is_empty() { div class="more" { (more) } } }
            }
        }
    }
}
