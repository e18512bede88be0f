//! Creating groups.

use std::collections::HashMap;

use proto::store::{GroupKind, JoinPolicy, Role};
use proto::{entry, store};

use super::{Change, GroupKey, Groups, MemberRow};
use crate::caller::{Caller, Subject};
use crate::counters::Sequence;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{AppNumber, GroupId, UserId};
use crate::names::{Space, as_number};
use crate::retry::Tries;
use crate::text::{check_name, check_text};
use crate::users::UserKey;

/// A new group. A user who creates one becomes its owner; the app names one, or none.
#[derive(Debug, Clone, Default)]
pub struct NewGroup {
    /// The app's own id; unique in the app. A number that is free becomes the internal id too.
    pub gid: Option<String>,
    /// Name to show.
    pub name: String,
    /// URL of a picture.
    pub avatar: String,
    /// What the group is about.
    pub introduction: String,
    /// What everybody in it should know.
    pub announcement: String,
    /// The app's own.
    pub extension: String,
    /// tim's `groupCustomField`, as JSON.
    pub custom_fields: String,
    /// Who can find it.
    pub kind: GroupKind,
    /// Who may join.
    pub join_policy: JoinPolicy,
    /// For a privileged caller: who owns it. `None` means the member with the role of owner; failing that, the caller, or nobody for a server.
    pub owner: Option<UserId>,
    /// Whether the owner is a member too (gobelieve: no, unless listed). A user who is not privileged always is.
    pub owner_is_member: bool,
    /// Further members and their roles.
    pub members: Vec<(UserId, Role)>,
    /// Names shown in the group, by user.
    pub cards: Vec<(UserId, String)>,
    /// Most members; 0 for the configured limit, which is also the most that may be asked for.
    pub capacity: u32,
    /// Whether new members may read what was said before.
    pub history_visible: bool,
    /// Whether plain members may add others. `None`: in private groups they may.
    pub members_may_invite: Option<bool>,
    /// Whether plain members may change name, picture and texts.
    pub members_may_edit: bool,
}

impl Groups {
    /// Creates a group.
    ///
    /// Several homes change: the id's and the gid's names, then a membership row for each member, for a public group the list of those, then
    /// the group with its member rows and first entry. A crash in between leaves names and rows without a group; readers pass over them, and
    /// creating the group again under the same gid completes them.
    ///
    /// # Errors
    /// `Invalid`; `Exists(Group)` for the gid, also of a dismissed group; `NotFound(User)` if any is unknown; `Denied(GroupFull)`;
    /// `Denied(Credential)` for an owner other than the caller.
    pub async fn create(&self, caller: &Caller, new: NewGroup) -> Result<store::Group> {
        self.check_new(&new)?;
        let owner = owner_of(caller, &new)?;
        let members = if new.kind == GroupKind::Room { Vec::new() } else { members_of(caller, &new, owner)? };
        let capacity = if new.capacity == 0 { self.most_members(new.kind) } else { new.capacity };
        if members.len() > capacity as usize {
            return Err(Error::Denied(Denial::GroupFull));
        }
        let users: Vec<UserId> = members.iter().map(|member| UserId(member.user)).collect();
        let concerned: Vec<UserId> = users.iter().copied().chain(owner).collect();
        if self.unknown(caller.app(), &concerned).await?.contains(&true) {
            return Err(Error::NotFound(Noun::User));
        }
        let mut tries = Tries::default();
        loop {
            let Some(id) = self.claim_id(caller.app(), new.gid.as_deref()).await? else {
                tries.lost().await?;
                continue;
            };
            self.add_memberships(caller.app(), id, users.clone()).await?;
            let after = record(&new, id, owner, members.len());
            self.publish(caller.app(), None, &after).await?;
            let change =
                Change { before: None, after, members: members.iter().cloned().map(MemberRow::Joins).collect() };
            let tip = entry::Tip {
                kind: entry::tip::Kind::GroupCreated as i32,
                users: users.iter().map(|user| user.0).collect(),
                text: new.name.clone(),
                data: owner.map_or_else(String::new, |owner| serde_json::json!({ "owner": owner.0 }).to_string()),
                ..entry::Tip::default()
            };
            match self.write(caller, change, tip).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                outcome => return outcome,
            }
        }
    }

    /// Which of these users do not exist.
    pub(super) async fn unknown(&self, app: AppNumber, users: &[UserId]) -> Result<Vec<bool>> {
        let keys: Vec<_> = users.iter().map(|user| UserKey { app, user: *user }).collect();
        Ok(self.store.get_many(&keys).await?.iter().map(Option::is_none).collect())
    }

    /// Finds the id of a new group, and makes its names point at it. `None` after a lost race.
    pub(super) async fn claim_id(&self, app: AppNumber, gid: Option<&str>) -> Result<Option<GroupId>> {
        let Some(gid) = gid else { return self.generate_id(app).await.map(Some) };
        let was = self.names.target(app, Space::Gid, gid).await?;
        let id = match was {
            Some(target) => match self.store.get(&GroupKey { app, group: GroupId(target) }).await? {
                Some(group) if group.gid == gid || group.id.to_string() == gid => {
                    return Err(Error::Exists(Noun::Group));
                }
                Some(_) => self.generate_id(app).await?,
                None => GroupId(target),
            },
            // Every group's number is a name, so one that is no name is nobody's.
            None => match as_number(gid) {
                Some(number) => GroupId(number),
                None => self.generate_id(app).await?,
            },
        };
        Ok(self.names.claim(app, Space::Gid, gid, was, id.0).await?.then_some(id))
    }

    async fn generate_id(&self, app: AppNumber) -> Result<GroupId> {
        loop {
            let id = self.counters.next(app, Sequence::Groups).await?;
            if self.names.claim(app, Space::Gid, &id.to_string(), None, id).await? {
                return Ok(GroupId(id));
            }
        }
    }

    fn check_new(&self, new: &NewGroup) -> Result<()> {
        if new.kind == GroupKind::Room && !new.members.is_empty() {
            return Err(Error::Invalid { field: "members", message: "a chat room keeps no members".to_owned() });
        }
        if let Some(gid) = &new.gid {
            check_name("gid", gid, self.limits.gid)?;
        }
        check_text("name", &new.name, self.limits.name)?;
        let texts = [
            ("avatar", &new.avatar),
            ("introduction", &new.introduction),
            ("announcement", &new.announcement),
            ("extension", &new.extension),
            ("custom_fields", &new.custom_fields),
        ];
        texts.into_iter().try_for_each(|(field, text)| check_text(field, text, self.limits.text))?;
        new.cards.iter().try_for_each(|(_, card)| check_text("card", card, self.limits.name))?;
        if new.members.len() > self.limits.batch || new.cards.len() > self.limits.batch {
            let message = format!("at most {} at once", self.limits.batch);
            return Err(Error::Invalid { field: "members", message });
        }
        let most = self.most_members(new.kind);
        if new.capacity > most {
            return Err(Error::Invalid { field: "capacity", message: format!("at most {most}") });
        }
        Ok(())
    }
}

fn owner_of(caller: &Caller, new: &NewGroup) -> Result<Option<UserId>> {
    let mut listed = new.members.iter().filter(|(_, role)| *role == Role::Owner).map(|(user, _)| *user);
    let named = new.owner.or_else(|| listed.next());
    match caller.subject() {
        Subject::Anonymous => Err(Error::Denied(Denial::Credential)),
        Subject::Server => Ok(named),
        Subject::User { .. } if caller.is_privileged() => Ok(Some(named.unwrap_or(caller.user()?))),
        Subject::User { id, .. } if named.is_none_or(|owner| owner == id) => Ok(Some(id)),
        Subject::User { .. } => Err(Error::Denied(Denial::Credential)),
    }
}

/// The member rows to begin with, each user once.
fn members_of(caller: &Caller, new: &NewGroup, owner: Option<UserId>) -> Result<Vec<store::Member>> {
    let owner_is_member = new.owner_is_member || !caller.is_privileged();
    let own = owner.filter(|_| owner_is_member).map(|owner| (owner, Role::Owner));
    let cards: HashMap<UserId, &str> = new.cards.iter().map(|(user, card)| (*user, card.as_str())).collect();
    let mut members: Vec<store::Member> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (user, role) in own.into_iter().chain(new.members.iter().copied()) {
        let role = if owner == Some(user) { Role::Owner } else { role };
        if role == Role::Owner && owner != Some(user) {
            return Err(Error::Invalid { field: "members", message: "a group has one owner".to_owned() });
        }
        if seen.insert(user) {
            members.push(store::Member {
                user: user.0,
                role: role as i32,
                card: cards.get(&user).copied().unwrap_or_default().to_owned(),
                ..store::Member::default()
            });
        }
    }
    Ok(members)
}

fn record(new: &NewGroup, id: GroupId, owner: Option<UserId>, members: usize) -> store::Group {
    store::Group {
        id: id.0,
        gid: new.gid.clone().unwrap_or_default(),
        name: new.name.clone(),
        avatar: new.avatar.clone(),
        introduction: new.introduction.clone(),
        announcement: new.announcement.clone(),
        owner: owner.unwrap_or_default().0,
        kind: new.kind as i32,
        members: u32::try_from(members).expect("the members are within a group's capacity, which is a u32"),
        join_policy: new.join_policy as i32,
        history_visible: new.history_visible,
        members_may_invite: new.members_may_invite.unwrap_or(new.kind == GroupKind::Private),
        members_may_edit: new.members_may_edit,
        extension: new.extension.clone(),
        capacity: new.capacity,
        custom_fields: new.custom_fields.clone(),
        ..store::Group::default()
    }
}
