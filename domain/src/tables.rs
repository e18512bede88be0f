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

    /// Users who cannot come into a group. Home: the group's conversation.
    BARRED = 80, "barred", Sorted;
    /// Which members are admins, and which are silent. Home: the group's conversation.
    MEMBER_MARK = 81, "member_mark", Sorted, expires;
    /// Groups that anyone can find, by name. Home: the app's public groups.
    PUBLIC_GROUP = 82, "public_group", Sorted;

    /// Who asked to join a group. Home: the group's conversation.
    APPLICATION = 85, "application", Sorted, expires;
    /// Who invited a user into a group. Home: the user.
    INVITATION = 86, "invitation", Sorted, expires;
    /// What a group was told to know. Home: the group's conversation.
    ANNOUNCEMENT = 87, "announcement", Sorted;
    /// Files that members of a group share. Home: the group's conversation.
    SHARED_FILE = 88, "shared_file", Sorted;
    /// How many sessions are in a chat room, by gateway. Home: the group's conversation.
    ROOM_COUNT = 95, "room_count", Sorted, expires;

    /// Requests to become friends. Home: the user who is asked.
    FRIEND_REQUEST = 70, "friend_request", Sorted, expires;
    /// Groups of friends. Home: the user.
    FRIEND_GROUP = 71, "friend_group", Sorted;
    /// Wrong answers to a user's question. Home: the user.
    ANSWER_ATTEMPT = 72, "answer_attempt", Map, expires;

    /// Desks of customer service. Home: the app's customer service.
    SUPPORT_STORE = 120, "support_store", Sorted;
    /// Who serves at them. Home: the app's customer service.
    SUPPORTER = 121, "supporter", Sorted;
    /// Customers by what the app calls them. Home: the customer's name.
    CUSTOMER = 122, "customer", Map;
    /// Who serves a user. Home: the user.
    ASSIGNMENT = 123, "assignment", Map;

    /// Users by what they share with others. Home: what they share.
    USER_INDEX = 50, "user_index", Sorted;
    /// That a user is gone. Home: the user.
    DEPARTED = 51, "departed", Map;
    /// Texts that wait for whoever has their code. Home: the user who left them.
    HANDOVER = 52, "handover", Map, expires;

    /// What is known of files. Home: the file.
    FILE = 100, "file", Map;
    /// An app's rules about what is said. Home: the app's rules.
    RULES = 101, "rules", Map;
    /// Words that an app does not let pass. Home: the app's rules.
    FILTER_WORD = 102, "filter_word", Sorted;
    /// Until when a user is silent everywhere. Home: the user.
    SILENCE = 103, "silence", Map;

    /// Runs of gateways. Home: the store itself.
    BOOT = 40, "boot", Sorted, expires;

    /// What must happen outside after an entry. Home: the conversation.
    OUTBOX = 60, "outbox", Sorted;
    /// Conversations that may have such rows. Home: the app's journal.
    OUTBOX_LINE = 61, "outbox_line", Sorted;
    /// Devices that a user is pushed to on. Home: the user.
    PUSH_DEVICE = 62, "push_device", Sorted;
    /// Tags, alias and badge of a user. Home: the user.
    PUSH_USER = 63, "push_user", Map;
    /// Whose a device token is. Home: the token.
    PUSH_OWNER = 64, "push_owner", Map;
    /// Who may carry a tag or an alias. Home: the label.
    PUSH_LABELLED = 65, "push_labelled", Sorted;
    /// Users who have had devices. Home: one of a few, by the user's id.
    PUSH_REACHED = 66, "push_reached", Sorted;
    /// What providers know of an app. Home: the app's pushes.
    PUSH_CHANNEL = 67, "push_channel", Sorted;
    /// Notices to many. Home: the app's pushes.
    PUSH_TASK = 68, "push_task", Sorted, expires;
    /// Notices to many that wait for their time. Home: the app's pushes.
    PUSH_QUEUED = 69, "push_queued", Sorted;
    /// Used request ids of notices to many. Home: the request id.
    PUSH_REQUEST = 110, "push_request", Map, expires;
    /// Who looks for what was left undone. Home: the store itself.
    WORK_LEASE = 111, "work_lease", Map, expires;
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
    Shared = 8,
    PublicGroups = 10,
    Support = 14,
    Outbound = 17,
    File = 12,
    Rules = 13,
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

/// The home of an app's customer service.
pub(crate) fn support(app: AppNumber) -> Home {
    home(app, Of::Support, &[])
}

/// The home of what an app calls one customer; hashed, for its length is the app's own.
pub(crate) fn customer(app: AppNumber, id_hash: &[u8; 32]) -> Home {
    home(app, Of::Support, &[&id_hash[..]])
}

/// The home of something that users share. `kind` keeps names, mobiles and the like apart.
pub(crate) fn user_index(app: AppNumber, kind: u8, what: &[u8]) -> Home {
    home(app, Of::Shared, &[&[kind], what])
}

/// The home of a conversation; a group's is its conversation's.
pub(crate) fn conversation(app: AppNumber, id: ConversationId) -> Home {
    match id {
        ConversationId::Direct { low, high } => home(app, Of::Direct, &[&low.0.to_be_bytes(), &high.0.to_be_bytes()]),
        ConversationId::Group(group) => self::group(app, group),
        ConversationId::Notices(user) => home(app, Of::Notices, &[&user.0.to_be_bytes()]),
    }
}

/// What homes of the outside are of. The byte after the home's first; never reused.
#[repr(u8)]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outbound {
    /// Conversations that may have outbox rows.
    Journal = 0,
    /// A device token.
    Token = 1,
    /// A tag of users.
    Tag = 2,
    /// An alias of users and devices.
    Alias = 3,
    /// Some of the users who have had devices.
    Reach = 4,
    /// Channels, and notices to many.
    Pushes = 5,
    /// A request id of such a notice.
    Request = 6,
}

/// The home of something that concerns what the app sends to the outside; the name tells several of one kind apart.
pub(crate) fn outbound(app: AppNumber, of: Outbound, name: &[u8]) -> Home {
    home(app, Of::Outbound, &[&[of as u8][..], name])
}

/// The home of a file.
pub(crate) fn file(app: AppNumber, file: &[u8; 16]) -> Home {
    home(app, Of::File, &[&file[..]])
}

/// The home of an app's rules.
pub(crate) fn rules(app: AppNumber) -> Home {
    home(app, Of::Rules, &[])
}

/// The home of a group.
pub(crate) fn group(app: AppNumber, group: GroupId) -> Home {
    home(app, Of::Group, &[&group.0.to_be_bytes()])
}

/// The home of an app's public groups.
pub(crate) fn public_groups(app: AppNumber) -> Home {
    home(app, Of::PublicGroups, &[])
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

    use proto::store;
    use storage::Key;

    use super::*;
    use crate::apps::{AppIndexKey, AppKey};
    use crate::conversations::{MembershipKey, WatermarkKey};
    use crate::counters::{CounterKey, Sequence};
    use crate::devices::DeviceKey;
    use crate::files::{FileId, FileKey};
    use crate::groups::{
        AnnouncementKey, ApplicationKey, GroupKey, InvitationKey, MemberKey, RoomCountKey, SharedFileKey,
    };
    use crate::groups::{BarredKey, Mark, MemberMarkKey, PublicGroupKey};
    use crate::ids::{BootId, MessageId, Seq, SessionId};
    use crate::log::{EntryKey, HeadKey, PositionKey, SentKey};
    use crate::messages::PreparedKey;
    use crate::names::{NameKey, Space};
    use crate::outbox::{OutboxKey, OutboxLineKey, Purpose, WorkLeaseKey};
    use crate::presence::{BootKey, LastSeenKey, LeaseKey};
    use crate::push;
    use crate::roster::{AttemptKey, ContactKey, FriendGroupKey, RequestKey};
    use crate::rules::{FilterWordKey, RulesKey, SilenceKey};
    use crate::support::{AssignmentKey, CustomerKey, StoreKey, SupporterKey};
    use crate::tokens::{HandoverKey, TokenKey};
    use crate::users::{DepartedKey, UserKey};
    use crate::users::{UserIndexKey, Way};

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
        for sequence in [Sequence::Apps, Sequence::Users, Sequence::Groups, Sequence::Messages, Sequence::Stores] {
            golden.key(&CounterKey { app, sequence });
        }
        for space in [Space::Uid, Space::Username, Space::Gid, Space::Account] {
            golden.key(&NameKey::new(app, space, "alice"));
        }
        golden.key(&TokenKey { hash: [0xbb; 32] });
        golden.key(&UserKey { app, user }).key(&DeviceKey { app, user, device_id: "phone" });
        golden.key(&DepartedKey { app, user }).key(&HandoverKey { app, user, hash: [0xcc; 32] });
        for way in [Way::All(3), Way::Name("alice"), Way::Mobile("alice"), Way::Email("Alice")] {
            golden.key(&UserIndexKey { app, way, user });
        }
        golden.key(&ContactKey { app, user, contact: other });
        golden.key(&RequestKey { app, user, asker: other }).key(&AttemptKey { app, user, asker: other });
        golden.key(&FriendGroupKey { app, user, name: "family" });
        golden.key(&StoreKey { app, store: 7 }).key(&SupporterKey { app, store: 7, user });
        golden.key(&CustomerKey::new(app, "c")).key(&AssignmentKey { app, user, store: 7 });
        golden.key(&LeaseKey { app, user, boot: BootId(5), session: SessionId(6) }).key(&LastSeenKey { app, user });
        golden.key(&PreparedKey { app, user, message: MessageId(8) });
        for conversation in [direct, ConversationId::Group(group), ConversationId::Notices(user)] {
            golden
                .key(&MembershipKey { app, user, conversation })
                .key(&HeadKey { app, conversation })
                .key(&EntryKey { app, conversation, seq: Seq(7) })
                .key(&SentKey { app, conversation, sender: user, client_msg_id: "a b" })
                .key(&PositionKey { app, conversation, message: MessageId(8) })
                .key(&WatermarkKey { app, conversation, user })
                .key(&OutboxKey { app, conversation, seq: Seq(7), purpose: Purpose::Push })
                .key(&OutboxLineKey { app, period: 9, conversation });
        }
        golden.key(&GroupKey { app, group }).key(&MemberKey { app, group, user });
        golden.key(&BarredKey { app, group, user }).key(&PublicGroupKey { app, name: "club".into(), group });
        for mark in [Mark::Admin, Mark::Muted] {
            golden.key(&MemberMarkKey { app, group, mark, user });
        }
        golden.key(&ApplicationKey { app, group, user }).key(&InvitationKey { app, user, group, inviter: other });
        golden.key(&AnnouncementKey { app, group, id: 7 }).key(&SharedFileKey { app, group, id: 7 });
        golden.key(&RoomCountKey { app, room: group, boot: BootId(5) });
        golden.key(&FileKey { app, file: FileId::from_bytes(&[0xcc; 16]).unwrap() });
        golden.key(&RulesKey { app }).key(&FilterWordKey { app, word: "a b" }).key(&SilenceKey { app, user });
        golden.key(&push::DeviceKey { app, user, device: "phone" }).key(&push::UserKey { app, user });
        golden.key(&push::OwnerKey::new(app, store::PushProvider::Apns, "abc")).key(&push::ReachedKey { app, user });
        for label in [push::LabelKey::Tag("x"), push::LabelKey::Alias("x")] {
            golden.key(&push::LabelledKey { app, label, user, device: "phone" });
        }
        golden.key(&push::ChannelKey { app, name: "ios" }).key(&push::TaskKey { app, task: 9 });
        golden.key(&push::QueuedKey { app, due: 8, task: 9 }).key(&push::RequestKey::new(app, "r"));
        golden.key(&BootKey { boot: BootId(5) }).key(&WorkLeaseKey);
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
