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
        ConversationId::Direct { low, high } => home(app, Of::Direct, &[&low.0.to_be_bytes(), &high.0.to_be_bytes()]),
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fmt::Write;

    use storage::Key;

    use super::*;
    use crate::apps::{AppIndexKey, AppKey};
    use crate::conversations::{MembershipKey, WatermarkKey};
    use crate::counters::{CounterKey, Sequence};
    use crate::devices::DeviceKey;
    use crate::groups::{GroupKey, MemberKey};
    use crate::ids::{BootId, MessageId, Seq, SessionId};
    use crate::log::{EntryKey, HeadKey, PositionKey, SentKey};
    use crate::messages::PreparedKey;
    use crate::names::{NameKey, Space};
    use crate::presence::{BootKey, LastSeenKey, LeaseKey};
    use crate::roster::ContactKey;
    use crate::tokens::TokenKey;
    use crate::users::UserKey;

    /// Lines of "table, home, rest", as they are in every store that exists.
    #[derive(Default)]
    struct Golden(String, HashSet<u8>);

    impl Golden {
        fn key(&mut self, key: &impl Key) -> &mut Self {
            let address = key.address();
            let hex = |bytes: &[u8]| if bytes.is_empty() { "-".to_owned() } else { hex::encode(bytes) };
            let (code, name) = (address.table.code, address.table.name);
            self.1.insert(code);
            writeln!(self.0, "{code:<2} {name:<10} {} {}", hex(address.home.as_bytes()), hex(&address.rest)).unwrap();
            self
        }
    }

    #[test]
    fn keys_have_the_bytes_that_stores_hold() {
        let app = AppNumber(0x0102_0304);
        let (user, other, group) = (UserId(0x11), UserId(0x2222), GroupId(0x33));
        let direct = ConversationId::direct(other, user);
        let mut golden = Golden::default();
        golden.key(&AppKey { id: "demo" });
        golden.key(&AppIndexKey::Number(app.0)).key(&AppIndexKey::Secret([0xaa; 32]));
        for sequence in [Sequence::Apps, Sequence::Users, Sequence::Groups, Sequence::Messages] {
            golden.key(&CounterKey { app, sequence });
        }
        for space in [Space::Uid, Space::Username, Space::Gid] {
            golden.key(&NameKey::new(app, space, "alice"));
        }
        golden.key(&TokenKey { hash: [0xbb; 32] });
        golden.key(&UserKey { app, user }).key(&DeviceKey { app, user, device_id: "phone" });
        golden.key(&ContactKey { app, user, contact: other });
        golden.key(&LeaseKey { app, user, boot: BootId(5), session: SessionId(6) }).key(&LastSeenKey { app, user });
        golden.key(&PreparedKey { app, user, message: MessageId(8) });
        for conversation in [direct, ConversationId::Group(group), ConversationId::Notices(user)] {
            golden
                .key(&MembershipKey { app, user, conversation })
                .key(&HeadKey { app, conversation })
                .key(&EntryKey { app, conversation, seq: Seq(7) })
                .key(&SentKey { app, conversation, sender: user, client_msg_id: "a b" })
                .key(&PositionKey { app, conversation, message: MessageId(8) })
                .key(&WatermarkKey { app, conversation, user });
        }
        golden.key(&GroupKey { app, group }).key(&MemberKey { app, group, user });
        golden.key(&BootKey { boot: BootId(5) });
        assert_eq!(golden.1.len(), TABLES.len(), "a table has no line");
        assert_eq!(
            golden.0,
            include_str!("../tests/keys.golden"),
            "other bytes are another store: this needs a migration"
        );
    }

    #[test]
    fn tables_are_told_apart() {
        let codes: HashSet<u8> = TABLES.iter().map(|table| table.code).collect();
        let names: HashSet<&str> = TABLES.iter().map(|table| table.name).collect();
        assert_eq!((codes.len(), names.len()), (TABLES.len(), TABLES.len()));
    }
}
