//! What things are called.
//!
//! Users, groups and messages have integer ids below 2^53, so that JSON numbers carry them unharmed.
//! An app's own string ids map to them; see [`UserRef`] and [`GroupRef`] for how each dialect finds one.

use proto::entry;

/// Declares a newtype over an integer.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(out)
            }
        }
    )*};
}

ids! {
    /// An app (tenant), as keys carry it. gobelieve's `appid`.
    AppNumber(u32);
    /// A user. Generated ids start at [`FIRST_GENERATED`](Self::FIRST_GENERATED), above the numeric uids that apps use.
    UserId(u64);
    /// A group.
    GroupId(u64);
    /// A message, unique within its app.
    MessageId(u64);
    /// A place in a conversation's log, from 1, without gaps. 0 means "before the first".
    Seq(u64);
    /// Tells two histories of one conversation apart.
    Epoch(u64);
    /// One connected session, unique within a run of a gateway.
    SessionId(u64);
    /// One run of one process that holds sessions.
    BootId(u64);
}

/// One past the largest id that JSON numbers carry exactly.
pub const ID_END: u64 = 1 << 53;

impl UserId {
    /// The first id that is made up rather than taken from a numeric uid.
    pub const FIRST_GENERATED: Self = Self(1_000_000_000_000);
}

/// A conversation within an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConversationId {
    /// Between two users; the smaller id comes first.
    Direct {
        /// The smaller user id.
        low: UserId,
        /// The larger user id.
        high: UserId,
    },
    /// Of a group.
    Group(GroupId),
    /// A user's own notices.
    Notices(UserId),
}

impl ConversationId {
    /// The 1:1 conversation of two users, in either order.
    #[must_use]
    pub fn direct(one: UserId, other: UserId) -> Self {
        Self::Direct { low: one.min(other), high: one.max(other) }
    }

    /// The other user of a 1:1 conversation, or `None` if `user` is not in it or it is not 1:1.
    #[must_use]
    pub fn peer_of(&self, user: UserId) -> Option<UserId> {
        match self {
            Self::Direct { low, high } if *low == user => Some(*high),
            Self::Direct { low, high } if *high == user => Some(*low),
            _ => None,
        }
    }

    /// Appends it to a key: kind as u8 (1 direct, 2 group, 3 notices), then its ids as u64.
    pub(crate) fn append_to(&self, out: &mut storage::Rest) {
        match *self {
            Self::Direct { low, high } => out.u8(1).u64(low.0).u64(high.0),
            Self::Group(group) => out.u8(2).u64(group.0),
            Self::Notices(user) => out.u8(3).u64(user.0),
        };
    }

    /// From its wire form; `None` where that is not a conversation.
    #[must_use]
    pub fn from_wire(id: &entry::ConversationId) -> Option<Self> {
        match id.kind.as_ref()? {
            entry::conversation_id::Kind::Direct(direct) if direct.low <= direct.high && direct.low > 0 => {
                Some(Self::Direct { low: UserId(direct.low), high: UserId(direct.high) })
            }
            entry::conversation_id::Kind::Direct(_) => None,
            entry::conversation_id::Kind::Group(group) => Some(Self::Group(GroupId(*group))),
            entry::conversation_id::Kind::Notices(user) => Some(Self::Notices(UserId(*user))),
        }
    }

    /// Its wire form.
    #[must_use]
    pub fn to_wire(&self) -> entry::ConversationId {
        let kind = match *self {
            Self::Direct { low, high } => {
                entry::conversation_id::Kind::Direct(entry::Direct { low: low.0, high: high.0 })
            }
            Self::Group(group) => entry::conversation_id::Kind::Group(group.0),
            Self::Notices(user) => entry::conversation_id::Kind::Notices(user.0),
        };
        entry::ConversationId { kind: Some(kind) }
    }
}

/// How a caller names a user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UserRef {
    /// By id, as the wire protocol does.
    Id(UserId),
    /// By the app's own id; failing that, the decimal id of a user who has none. String dialects.
    Uid(String),
    /// By number: the user whose uid is that number; failing that, by id. Integer dialects.
    Number(u64),
    /// By login name.
    Username(String),
}

/// How a caller names a group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GroupRef {
    /// By id, as the wire protocol does.
    Id(GroupId),
    /// By the app's own id; failing that, the decimal id of a group that has none. String dialects.
    Gid(String),
    /// By number: the group whose gid is that number; failing that, by id. Integer dialects.
    Number(u64),
}
