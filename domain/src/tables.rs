//! Every table, and every home.
//!
//! Append-only: a code is never reused, and a retired table keeps its line. All key bytes stand in `tests/keys.golden`;
//! a difference there means a migration.

use storage::{Home, Kind, Table};

use crate::ids::{AppNumber, ConversationId, GroupId, UserId};

/// Declares the tables, and the list that engines open.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal, $kind:ident $(, $expires:ident)?;)*) => {
        $($(#[$doc])* pub(crate) const $name: Table =
            Table { code: $code, name: $text, kind: Kind::$kind, expires: tables!(@expires $($expires)?) };)*

        /// Every table, for whoever opens an engine.
        pub const TABLES: &[Table] = &[$($name),*];
    };
    (@expires) => { false };
    (@expires expires) => { true };
}

tables! {
    /// Apps by id. Home: the store itself.
    APP = 1, "app", Sorted;
    /// App number or secret to app id. Home: the store itself.
    APP_INDEX = 2, "app_index", Map;
    /// Sequences of ids. Home: the app's counters.
    COUNTER = 3, "counter", Map;
    /// Unique names. Home: the name.
    NAME = 4, "name", Map;
    /// Tokens by their hash. Home: the token.
    TOKEN = 5, "token", Map, expires;

    /// The user's own record. Home: the user.
    USER = 10, "user", Map;
    /// Devices of a user. Home: the user.
    DEVICE = 11, "device", Sorted;
    /// Contacts of a user. Home: the user.
    CONTACT = 12, "contact", Sorted;
    /// Conversations of a user. Home: the user.
    MEMBERSHIP = 13, "membership", Sorted;
    /// Connected sessions of a user. Home: the user.
    LEASE = 14, "lease", Sorted;
    /// When a user was last connected. Home: the user.
    LAST_SEEN = 15, "last_seen", Map;
    /// Messages that a user made and may yet send. Home: the user.
    PREPARED = 16, "prepared", Map, expires;

    /// State of a conversation's log. Home: the conversation.
    HEAD = 20, "head", Map;
    /// A conversation's log. Home: the conversation.
    ENTRY = 21, "entry", Log, expires;
    /// Used client_msg_ids. Home: the conversation.
    SENT = 22, "sent", Map, expires;
    /// Message ids to seqs. Home: the conversation.
    POSITION = 23, "position", Map, expires;
    /// How far members have read. Home: the conversation.
    WATERMARK = 24, "watermark", Sorted;

    /// The group's own record. Home: the group's conversation.
    GROUP = 30, "group", Map;
    /// Members of a group. Home: the group's conversation.
    MEMBER = 31, "member", Sorted;

    /// Runs of gateways. Home: the store itself.
    BOOT = 40, "boot", Sorted, expires;
}

/// What a home is of. The first byte after the app; never reused.
#[repr(u8)]
enum Of {
    Root = 0,
    Counters = 1,
    Name = 2,
    Token = 3,
    User = 4,
    Direct = 5,
    Group = 6,
    Notices = 7,
}

/// The home of what belongs to no app: apps and gateways' runs.
pub(crate) fn root() -> Home {
    home(AppNumber(0), Of::Root, &[])
}

/// The home of an app's counters.
pub(crate) fn counters(app: AppNumber) -> Home {
    home(app, Of::Counters, &[])
}

/// The home of one unique name. `kind` keeps uids, usernames and group ids apart; the name is hashed, for its length is the app's own.
pub(crate) fn name(app: AppNumber, kind: u8, name_hash: &[u8; 32]) -> Home {
    home(app, Of::Name, &[&[kind], &name_hash[..]])
}

/// The home of one token, under app 0, since a token is what tells the app.
pub(crate) fn token(hash: &[u8; 32]) -> Home {
    home(AppNumber(0), Of::Token, &[&hash[..]])
}

/// The home of a user.
pub(crate) fn user(app: AppNumber, user: UserId) -> Home {
    home(app, Of::User, &[&user.0.to_be_bytes()])
}

/// The home of a conversation; a group's is its conversation's.
pub(crate) fn conversation(app: AppNumber, id: ConversationId) -> Home {
    match id {
        ConversationId::Direct { low, high } => {
            home(app, Of::Direct, &[&low.0.to_be_bytes(), &high.0.to_be_bytes()])
        }
        ConversationId::Group(group) => self::group(app, group),
        ConversationId::Notices(user) => home(app, Of::Notices, &[&user.0.to_be_bytes()]),
    }
}

/// The home of a group.
pub(crate) fn group(app: AppNumber, group: GroupId) -> Home {
    home(app, Of::Group, &[&group.0.to_be_bytes()])
}

fn home(app: AppNumber, of: Of, pieces: &[&[u8]]) -> Home {
    // Exact, so that the vector becomes shared bytes without another allocation.
    let mut bytes = Vec::with_capacity(5 + pieces.iter().map(|piece| piece.len()).sum::<usize>());
    bytes.extend_from_slice(&app.0.to_be_bytes());
    bytes.push(of as u8);
    for piece in pieces {
        bytes.extend_from_slice(piece);
    }
    Home::new(bytes)
}
