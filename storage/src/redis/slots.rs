//! Who serves which slot, as was heard last.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::layout::SLOTS;
use super::node::Reply;
use super::url::Host;

/// The master of every slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Slots {
    /// By slot: one of `hosts`. Empty until something was heard.
    owners: Vec<Option<Arc<Host>>>,
}

impl Slots {
    /// Reads an answer to `CLUSTER SLOTS`: ranges, each with its first and last slot, its master, its replicas.
    pub(crate) fn read(answer: Reply, asked: &Host) -> Option<Self> {
        let mut owners = vec![None; usize::from(SLOTS)];
        for range in answer.into_list()? {
            let range = range.into_list()?;
            let [first, last, master, ..] = range.as_slice() else { return None };
            let (first, last) = (usize::try_from(first.number()?).ok()?, usize::try_from(last.number()?).ok()?);
            let Reply::List(master) = master else { return None };
            let [name, port, ..] = master.as_slice() else { return None };
            let port = u16::try_from(port.number()?).ok()?;
            // A server that does not know its own name leaves it out.
            let name = name.clone().into_text().filter(|name| !name.is_empty() && name != "?");
            let host = Arc::new(Host { name: name.unwrap_or_else(|| asked.name.clone()), port });
            for owner in owners.get_mut(first..=last)? {
                *owner = Some(Arc::clone(&host));
            }
        }
        Some(Self { owners })
    }

    pub(crate) fn owner(&self, slot: u16) -> Option<&Arc<Host>> {
        self.owners.get(usize::from(slot))?.as_ref()
    }

    /// Notes a redirection. What else has moved, the next refresh tells.
    pub(crate) fn set(&mut self, slot: u16, host: Host) {
        self.owners.resize(usize::from(SLOTS), None);
        let known = self.owners.iter().flatten().find(|known| ***known == host).cloned();
        if let Some(owner) = self.owners.get_mut(usize::from(slot)) {
            *owner = Some(known.unwrap_or_else(|| Arc::new(host)));
        }
    }

    /// All that serve something.
    pub(crate) fn hosts(&self) -> BTreeSet<Arc<Host>> {
        self.owners.iter().flatten().cloned().collect()
    }

    /// Whether every slot is served by somebody.
    pub(crate) fn is_whole(&self) -> bool {
        !self.owners.is_empty() && self.owners.iter().all(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: i64, last: i64, name: &'static str, port: i64) -> Reply {
        let host = Reply::List(vec![Reply::Text(name.into()), Reply::Number(port), Reply::Text("id".into())]);
        Reply::List(vec![Reply::Number(first), Reply::Number(last), host])
    }

    #[test]
    fn slots_have_the_owners_that_were_told_last() {
        let asked: Host = "asked:1".parse().unwrap();
        let answer = Reply::List(vec![range(0, 99, "one", 7_000), range(100, 16_383, "", 7_001)]);
        let mut slots = Slots::read(answer, &asked).unwrap();
        assert!(slots.is_whole());
        let owner = |slots: &Slots, slot| slots.owner(slot).map(|host| host.to_string());
        assert_eq!(owner(&slots, 99).as_deref(), Some("one:7000"));
        assert_eq!(owner(&slots, 100).as_deref(), Some("asked:7001"));
        slots.set(100, "one:7000".parse().unwrap());
        assert_eq!(owner(&slots, 100).as_deref(), Some("one:7000"));
        assert_eq!(slots.hosts().len(), 2);
        assert_eq!(owner(&slots, 16_384), None);
        assert!(!Slots::default().is_whole());
    }

    #[test]
    fn an_answer_of_another_shape_is_none() {
        let asked: Host = "asked:1".parse().unwrap();
        assert_eq!(Slots::read(Reply::Nil, &asked), None);
        assert_eq!(Slots::read(Reply::List(vec![range(0, 20_000, "one", 1)]), &asked), None);
    }
}
