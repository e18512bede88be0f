//! Changing what a group is: its texts, its members' roles, its owner, its end.

use std::collections::HashSet;

use proto::store::{GroupKind, JoinPolicy, Role};
use proto::{entry, store};
use serde_json::{Map, Value};

use super::fields::{self, CustomField};
use super::membership::role_in;
use super::{Change, Groups, MemberRow, Standing};
use crate::caller::Caller;
use crate::error::{Denial, Error, Noun, Result};
use crate::ids::{GroupId, UserId};
use crate::retry::Tries;
use crate::text::check_text;

/// Changes to a group; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct GroupChange {
    /// Name to show.
    pub name: Option<String>,
    /// URL of a picture.
    pub avatar: Option<String>,
    /// What the group is about.
    pub introduction: Option<String>,
    /// What everybody in it should know.
    pub announcement: Option<String>,
    /// The app's own.
    pub extension: Option<String>,
    /// Custom fields to set; the others stay.
    pub custom_fields: Vec<CustomField>,
    /// Who may join. For owner and admins.
    pub join_policy: Option<JoinPolicy>,
    /// Until when all but owner and admins are silent, in Unix milliseconds; 0 lifts that, -1 is for ever. For owner and admins.
    pub muted_until: Option<i64>,
    /// Whether new members may read what was said before. For owner and admins.
    pub history_visible: Option<bool>,
    /// Whether plain members may add others. For owner and admins.
    pub members_may_invite: Option<bool>,
    /// Whether plain members may change name, picture and texts. For owner and admins.
    pub members_may_edit: Option<bool>,
    /// Whether plain members cannot list the others. For owner and admins.
    pub members_hidden: Option<bool>,
    /// Whether members see who has read what they said. For owner and admins.
    pub receipts: Option<bool>,
}

/// Changes to a member; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct MemberChange {
    /// Admin or member; the owner changes by [`Groups::transfer`].
    pub role: Option<Role>,
    /// Name within the group.
    pub card: Option<String>,
    /// Until when the member is silent, in Unix milliseconds; 0 lifts that, -1 is for ever.
    pub muted_until: Option<i64>,
    /// Custom fields to set; the others stay.
    pub custom_fields: Vec<CustomField>,
}

impl GroupChange {
    /// Whether it changes more than texts.
    fn is_about_rules(&self) -> bool {
        let switches =
            [self.history_visible, self.members_may_invite, self.members_may_edit, self.members_hidden, self.receipts];
        self.join_policy.is_some() || self.muted_until.is_some() || switches.iter().any(Option::is_some)
    }
}

impl Groups {
    /// Changes a group's texts and rules: owner and admins, and where the group says so any member the texts.
    ///
    /// A public group that gets another name is found by either until the change is done, see `search.rs`.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`, `Invalid`.
    pub async fn update(&self, caller: &Caller, group: GroupId, change: GroupChange) -> Result<store::Group> {
        self.check_change(&change)?;
        let app = caller.app();
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(app, group).await?;
            let standing = self.standing(caller, &before).await?;
            if change.is_about_rules() || !before.members_may_edit {
                standing.require_admin()?;
            }
            let mut after = before.clone();
            let told = apply(&mut after, &change);
            check_text("custom_fields", &after.custom_fields, self.limits.text)?;
            if after == before {
                return Ok(after);
            }
            let tip = entry::Tip {
                kind: entry::tip::Kind::GroupChanged as i32,
                text: change.name.clone().or_else(|| change.announcement.clone()).unwrap_or_default(),
                data: Value::Object(told).to_string(),
                ..entry::Tip::default()
            };
            self.publish(app, Some(&before), &after).await?;
            match self.write(caller, Change { before: Some(before.clone()), after, members: Vec::new() }, tip).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                Err(error) => return Err(error),
                Ok(after) => return self.unpublish(app, &before, &after).await.map(|()| after),
            }
        }
    }

    /// Makes a super group of a group, which takes more members. It is found by its members only. Again changes nothing.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotOwner)`.
    pub async fn upgrade(&self, caller: &Caller, group: GroupId) -> Result<store::Group> {
        let app = caller.app();
        let _turn = self.turns.take(app, group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(app, group).await?;
            self.standing(caller, &before).await?.require_owner()?;
            if before.kind() == GroupKind::Super {
                return Ok(before);
            }
            let kind = GroupKind::Super as i32;
            let after = store::Group { kind, capacity: 0, ..before.clone() };
            let data = Value::Object(Map::from_iter([("kind".to_owned(), kind.into())])).to_string();
            let tip = entry::Tip { kind: entry::tip::Kind::GroupChanged as i32, data, ..entry::Tip::default() };
            match self.write(caller, Change { before: Some(before.clone()), after, members: Vec::new() }, tip).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                Err(error) => return Err(error),
                Ok(after) => return self.unpublish(app, &before, &after).await.map(|()| after),
            }
        }
    }

    /// Ends a group. Nobody can write to it, join it or find it any more; who was a member keeps what was said.
    ///
    /// The end is one commit, whatever the group's size: the member rows stay, and the last entry of the log tells. A public group then leaves
    /// the list of those; a crash in between leaves a row there that readers pass over. Each member gets a notice last, as one who is removed
    /// does; whom a crash leaves without finds the entry in the log.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotOwner)`.
    pub async fn dismiss(&self, caller: &Caller, group: GroupId) -> Result<()> {
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            self.standing(caller, &before).await?.require_owner()?;
            let after = store::Group { dismissed: true, ..before.clone() };
            let tip = entry::Tip {
                kind: entry::tip::Kind::GroupDismissed as i32,
                text: before.name.clone(),
                ..entry::Tip::default()
            };
            let change = Change { before: Some(before.clone()), after, members: Vec::new() };
            match self.write(caller, change, tip).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                Err(error) => return Err(error),
                Ok(after) => {
                    self.unpublish(caller.app(), &before, &after).await?;
                    return self.tell_members(caller, &after, entry::tip::Kind::GroupDismissed).await;
                }
            }
        }
    }

    /// Changes a member: the owner everybody, admins plain members, and everybody one's own name and fields. Roles are the owner's to give.
    ///
    /// # Errors
    /// `NotFound(Group)`, `NotFound(Member)`, `Denied(NotMember)`, `Denied(NotAdmin)`, `Denied(NotOwner)`, `Invalid`.
    pub async fn update_member(
        &self,
        caller: &Caller,
        group: GroupId,
        user: UserId,
        change: MemberChange,
    ) -> Result<store::Member> {
        let results = self.update_members(caller, group, &[user], change).await?;
        results.into_iter().next().map_or(Err(Error::NotFound(Noun::Member)), |(_, result)| result)
    }

    /// As [`Self::update_member`], for many, in one commit. One result per user, in order.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`, `Denied(NotOwner)`, `Invalid`.
    /// For one user: `NotFound(Member)`, `Denied(NotAdmin)`, `Denied(NotOwner)`, `Denied(OwnerCannotLeave)`, `Invalid`.
    pub async fn update_members(
        &self,
        caller: &Caller,
        group: GroupId,
        users: &[UserId],
        change: MemberChange,
    ) -> Result<Vec<(UserId, Result<store::Member>)>> {
        self.check_batch(users.len())?;
        self.check_member_change(&change)?;
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            let standing = self.standing(caller, &before).await?;
            // Whoever may do this to nobody is told so at once, and not for each user.
            if change.role.is_some() {
                standing.require_owner()?;
            }
            if change.muted_until.is_some() {
                standing.require_admin()?;
            }
            let rows = self.member_rows(caller.app(), group, users).await?;
            let mut told = Map::new();
            let mut members = Vec::new();
            let mut results = Vec::with_capacity(users.len());
            let mut changed = HashSet::new();
            for (user, row) in users.iter().zip(rows) {
                let own = caller.user().is_ok_and(|own| own == *user);
                let result = self.changed(&before, standing, own, row.clone(), &change, &mut told);
                if let (Some(was), Ok(is)) = (row, &result)
                    && was != *is
                    && changed.insert(user.0)
                {
                    members.push(MemberRow::Changes { was: Box::new(was), is: Box::new(is.clone()) });
                }
                results.push((*user, result));
            }
            if members.is_empty() {
                return Ok(results);
            }
            let tip = entry::Tip {
                kind: entry::tip::Kind::MemberChanged as i32,
                users: users.iter().map(|user| user.0).filter(|user| changed.remove(user)).collect(),
                data: Value::Object(told).to_string(),
                ..entry::Tip::default()
            };
            let change = Change { before: Some(before.clone()), after: before, members };
            if self.settled(self.write(caller, change, tip).await, &mut tries).await? {
                return Ok(results);
            }
        }
    }

    /// A member as the change makes it; adds what changes to what is told.
    fn changed(
        &self,
        group: &store::Group,
        standing: Standing,
        own: bool,
        row: Option<store::Member>,
        change: &MemberChange,
        told: &mut Map<String, Value>,
    ) -> Result<store::Member> {
        let mut member = row.ok_or(Error::NotFound(Noun::Member))?;
        require_may_change(standing, role_in(group, &member), own, change)?;
        told.extend(apply_to_member(&mut member, change));
        check_text("custom_fields", &member.custom_fields, self.limits.text)?;
        Ok(member)
    }

    /// Hands the group over to another member. The former owner stays, as a plain member.
    ///
    /// # Errors
    /// `NotFound(Group)`, `NotFound(Member)`, `Denied(NotMember)`, `Denied(NotOwner)`.
    pub async fn transfer(&self, caller: &Caller, group: GroupId, to: UserId) -> Result<store::Group> {
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            self.standing(caller, &before).await?.require_owner()?;
            let heir = self.member_row(caller.app(), group, to).await?.ok_or(Error::NotFound(Noun::Member))?;
            if before.owner == to.0 {
                return Ok(before);
            }
            let former = self.member_row(caller.app(), group, UserId(before.owner)).await?;
            let former = former.map(|was| (store::Member { role: Role::Member as i32, ..was.clone() }, was));
            let new = (store::Member { role: Role::Owner as i32, muted_until: 0, ..heir.clone() }, heir);
            let row = |(is, was)| MemberRow::Changes { was: Box::new(was), is: Box::new(is) };
            let members = former.into_iter().chain([new]).map(row).collect();
            let after = store::Group { owner: to.0, ..before.clone() };
            let kind = entry::tip::Kind::OwnerChanged as i32;
            let tip = entry::Tip { kind, users: vec![to.0], ..entry::Tip::default() };
            match self.write(caller, Change { before: Some(before), after, members }, tip).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                outcome => return outcome,
            }
        }
    }

    fn check_change(&self, change: &GroupChange) -> Result<()> {
        let texts = [
            ("name", &change.name, self.limits.name),
            ("avatar", &change.avatar, self.limits.text),
            ("introduction", &change.introduction, self.limits.text),
            ("announcement", &change.announcement, self.limits.text),
            ("extension", &change.extension, self.limits.text),
        ];
        for (field, text, most) in texts {
            check_text(field, text.as_deref().unwrap_or_default(), most)?;
        }
        check_muted(change.muted_until)
    }

    fn check_member_change(&self, change: &MemberChange) -> Result<()> {
        if change.role == Some(Role::Owner) {
            return Err(Error::Invalid { field: "role", message: "the owner hands the group over".to_owned() });
        }
        check_text("card", change.card.as_deref().unwrap_or_default(), self.limits.name)?;
        check_muted(change.muted_until)
    }
}

fn check_muted(until: Option<i64>) -> Result<()> {
    if until.is_some_and(|until| until < -1) {
        return Err(Error::Invalid { field: "muted_until", message: "a time, 0, or -1 for ever".to_owned() });
    }
    Ok(())
}

fn require_may_change(standing: Standing, role: Role, own: bool, change: &MemberChange) -> Result<()> {
    if change.role.is_some() && role == Role::Owner {
        return Err(Error::Denied(Denial::OwnerCannotLeave));
    }
    if change.muted_until.is_some() {
        standing.require_above(role)?;
    }
    if (change.card.is_some() || !change.custom_fields.is_empty()) && !own {
        standing.require_above(role)?;
    }
    Ok(())
}

/// Applies a change, and says what was changed as clients should read it.
fn apply(group: &mut store::Group, change: &GroupChange) -> Map<String, Value> {
    let mut told = Map::new();
    let texts = [
        ("name", &mut group.name, &change.name),
        ("avatar", &mut group.avatar, &change.avatar),
        ("introduction", &mut group.introduction, &change.introduction),
        ("announcement", &mut group.announcement, &change.announcement),
        ("extension", &mut group.extension, &change.extension),
    ];
    for (name, field, text) in texts {
        if let Some(text) = text.as_ref().filter(|text| **text != *field) {
            field.clone_from(text);
            told.insert(name.to_owned(), text.as_str().into());
        }
    }
    if let Some(policy) = change.join_policy.filter(|policy| *policy != group.join_policy()) {
        group.join_policy = policy as i32;
        told.insert("join_policy".to_owned(), group.join_policy.into());
    }
    if let Some(until) = change.muted_until.filter(|until| *until != group.muted_until) {
        group.muted_until = until;
        told.insert("muted_until".to_owned(), until.into());
    }
    let switches = [
        ("history_visible", &mut group.history_visible, change.history_visible),
        ("members_may_invite", &mut group.members_may_invite, change.members_may_invite),
        ("members_may_edit", &mut group.members_may_edit, change.members_may_edit),
        ("members_hidden", &mut group.members_hidden, change.members_hidden),
        ("receipts", &mut group.receipts, change.receipts),
    ];
    for (name, field, switch) in switches {
        if let Some(switch) = switch.filter(|switch| *switch != *field) {
            *field = switch;
            told.insert(name.to_owned(), switch.into());
        }
    }
    tell_fields(&mut group.custom_fields, &change.custom_fields, &mut told);
    told
}

fn apply_to_member(member: &mut store::Member, change: &MemberChange) -> Map<String, Value> {
    let mut told = Map::new();
    if let Some(role) = change.role.filter(|role| *role != member.role()) {
        member.role = role as i32;
        told.insert("role".to_owned(), member.role.into());
    }
    if let Some(card) = change.card.as_ref().filter(|card| **card != member.card) {
        member.card.clone_from(card);
        told.insert("card".to_owned(), card.as_str().into());
    }
    if let Some(until) = change.muted_until.filter(|until| *until != member.muted_until) {
        member.muted_until = until;
        told.insert("muted_until".to_owned(), until.into());
    }
    tell_fields(&mut member.custom_fields, &change.custom_fields, &mut told);
    told
}

fn tell_fields(kept: &mut String, set: &[CustomField], told: &mut Map<String, Value>) {
    let merged = fields::merge(kept, set);
    if !set.is_empty() && merged != *kept {
        told.insert("custom_fields".to_owned(), merged.as_str().into());
        *kept = merged;
    }
}
