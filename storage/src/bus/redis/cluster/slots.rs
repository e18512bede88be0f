//! Who serves what, and what changed in it.

use std::collections::BTreeSet;

use crate::redis::layout::{SLOTS, crc16};
use crate::redis::node::Reply;
use crate::redis::slots::Slots;
use crate::redis::url::Host;

/// The slot of a key or channel: of the part in its first braces, if there is one.
pub(in crate::bus::redis) fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let length = rest.iter().position(|byte| *byte == b'}')?;
        (length > 0).then(|| &rest[..length])
    });
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// A set of slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::bus::redis) struct SlotSet(BTreeSet<u16>);

impl SlotSet {
    pub(super) fn of(holds: impl Fn(u16) -> bool) -> Self {
        Self((0..SLOTS).filter(|slot| holds(*slot)).collect())
    }

    pub(in crate::bus::redis) fn contains(&self, slot: u16) -> bool {
        self.0.contains(&slot)
    }

    pub(in crate::bus::redis) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Who serves what, as one node sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Grows with every failover and every move.
    pub(super) epoch: u64,
    pub(super) slots: Slots,
}

impl View {
    /// From the answers to `CLUSTER INFO` and `CLUSTER SLOTS`; none if the node is not part of a working cluster.
    pub(super) fn read(info: Reply, slots: Reply, asked: &Host) -> Option<Self> {
        let info = info.into_text()?;
        let value = |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name));
        if value("cluster_state:") != Some("ok") {
            return None;
        }
        let epoch = value("cluster_current_epoch:")?.parse().ok()?;
        Some(Self { epoch, slots: Slots::read(slots, asked)? })
    }

    /// The slots that another node serves in `other`. None that nobody served before.
    pub(super) fn differences(&self, other: &Self) -> SlotSet {
        if self.slots == other.slots {
            return SlotSet::default();
        }
        SlotSet::of(|slot| self.slots.owner(slot).is_some() && self.slots.owner(slot) != other.slots.owner(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\ncluster_current_epoch:7\r\n";

    fn range(first: i64, last: i64, port: i64) -> Reply {
        let host = Reply::List(vec![Reply::Text("h".into()), Reply::Number(port)]);
        Reply::List(vec![Reply::Number(first), Reply::Number(last), host])
    }

    fn view(info: &str, ranges: Vec<Reply>) -> Option<View> {
        View::read(Reply::Text(info.to_owned().into()), Reply::List(ranges), &"h:9".parse().unwrap())
    }

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
    }

    #[test]
    fn what_moved_is_told() {
        let one = view(INFO, vec![range(0, 99, 1), range(100, 200, 2)]).unwrap();
        let other = view(INFO, vec![range(0, 99, 1), range(100, 149, 2), range(150, 250, 1)]).unwrap();
        assert_eq!(one.epoch, 7);
        let moved = one.differences(&other);
        assert_eq!([99, 149, 150, 200, 201].map(|slot| moved.contains(slot)), [false, false, true, true, false]);
        assert!(one.differences(&one).is_empty());
        assert!(View::default().differences(&one).is_empty());
    }

    #[test]
    fn a_node_that_is_cut_off_has_no_view() {
        assert_eq!(view(&INFO.replace(":ok", ":fail"), vec![range(0, 99, 1)]), None);
        assert_eq!(view("", vec![range(0, 99, 1)]), None);
    }
}
