//! Scenario `slow`: a share of the readers stops reading now and then. The others must not notice, and the slow ones must end with
//! everything: from their queues, or, where the server had to let go of them, from history.

use std::sync::Arc;

use clap::Args;
use linnet_sdk::{ConversationId, Limits};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::reading::{Reader, Timed};
use super::writing::{self, Promise, Writer};
use crate::measure::names::timing;
use crate::plan;
use crate::plan::span::Span;
use crate::run::context::Context;

/// Its options.
#[derive(Debug, Clone, Serialize, Deserialize, Args)]
#[serde(deny_unknown_fields, default)]
pub struct Slow {
    /// Pairs of users: one sends, the other receives.
    #[arg(long, default_value_t = Self::default().pairs)]
    pub pairs: usize,
    /// Receivers who are slow, in percent.
    #[arg(long, default_value_t = Self::default().slow)]
    pub slow: f64,
    /// How long a slow one reads nothing; then it reads for as long, while the load goes on.
    #[arg(long, default_value_t = Self::default().pause)]
    pub pause: Span,
    /// Bytes of text.
    #[arg(long, default_value_t = Self::default().payload)]
    pub payload: usize,
}

impl Default for Slow {
    fn default() -> Self {
        Self { pairs: 100, slow: 10.0, pause: Span::seconds(5), payload: 200 }
    }
}

impl Slow {
    pub(super) fn users(&self) -> usize {
        2 * self.pairs
    }

    pub(super) fn share(&self, index: usize, processes: usize) -> Self {
        Self { pairs: plan::share(self.pairs, index, processes), ..self.clone() }
    }

    /// Whether the receiver of this number is slow: evenly spread over all.
    fn is_slow(&self, number: usize) -> bool {
        let before = |number: usize| (number as f64 * self.slow / 100.0).round();
        before(number + 1) > before(number)
    }
}

pub(super) async fn run(context: Arc<Context>, slow: Slow) -> anyhow::Result<()> {
    // A short queue, so that who does not read holds up its connection soon.
    let limits = Limits { event_queue: 64, ..writing::limits(&context) };
    let clients = context.connect_all(&context.users, context.dialer(limits)?).await?;
    let (mut writers, mut readers) = (Vec::with_capacity(slow.pairs), Vec::with_capacity(slow.pairs));
    let (over, load_over) = watch::channel(false);
    for (number, (pair, users)) in clients.chunks_exact(2).zip(context.users.chunks_exact(2)).enumerate() {
        let conversation = ConversationId::between(users[0].id, users[1].id);
        pair[0].ignore_events().await?;
        let writer = Writer::new(&context, pair[0].clone(), conversation, slow.payload, Promise::Durable);
        let book = context.books.reader([&writer.stream]);
        let reader = if slow.is_slow(number) {
            let timed = Timed { delivery: timing::SLOW_DELIVERY, ..Timed::default() };
            let reader = Reader::timed(&context, pair[1].clone(), book, timed);
            tokio::spawn(read_slowly(Arc::clone(&reader), slow.pause, load_over.clone()));
            reader
        } else {
            let reader = Reader::new(&context, pair[1].clone(), book);
            reader.listen().await?;
            reader
        };
        writers.push(Arc::new(writer));
        readers.push(reader);
    }
    writing::conduct_until(&context, &writers, &readers, || {
        // Whoever pauses still reads on; nobody listens when there are no slow ones.
        let _ = over.send(true);
    })
    .await
}

/// Reads nothing, reads, and so on; once the load is over, reads what there is.
async fn read_slowly(reader: Arc<Reader>, pause: Span, mut over: watch::Receiver<bool>) {
    let mut events = reader.client().events();
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause.0) => {}
            _ = over.wait_for(|over| *over) => break,
        }
        let awake = tokio::time::sleep(pause.0);
        tokio::pin!(awake);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => reader.handle(event),
                    None => return,
                },
                () = &mut awake => break,
            }
        }
    }
    reader.read().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_ones_are_spread_evenly() {
        for (percent, of, slow) in [(10.0, 100, 10), (50.0, 4, 2), (0.0, 10, 0), (100.0, 3, 3), (1.0, 1000, 10)] {
            let options = Slow { slow: percent, ..Slow::default() };
            assert_eq!((0..of).filter(|&number| options.is_slow(number)).count(), slow, "{percent} % of {of}");
        }
    }
}
