//! Changing what a group is: its texts, its members' roles, its owner, its end.

use proto::store::{JoinPolicy, Role};
use proto::{entry, store};
use serde_json::{Map, Value};

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
    /// tim's `groupCustomField`, as JSON.
    pub custom_fields: Option<String>,
    /// Who may join. For owner and admins.
    pub join_policy: Option<JoinPolicy>,
    /// Until when all but owner and admins are silent, in Unix milliseconds; 0 lifts that, -1 is for ever. For owner and admins.
    pub muted_until: Option<i64>,
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
    /// tim's `memberCustomField`, as JSON.
    pub custom_fields: Option<String>,
}

impl Groups {
    /// Changes a group's texts and rules: owner and admins, and where the group says so any member the texts.
    ///
    /// # Errors
    /// `NotFound(Group)`, `Denied(NotMember)`, `Denied(NotAdmin)`, `Invalid`.
    pub async fn update(&self, caller: &Caller, group: GroupId, change: GroupChange) -> Result<store::Group> {
        self.check_change(&change)?;
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            let standing = self.standing(caller, &before).await?;
            let rules = change.join_policy.is_some() || change.muted_until.is_some();
            if rules || !before.members_may_edit {
                standing.require_admin()?;
            }
            let mut after = before.clone();
            let told = apply(&mut after, &change);
            if after == before {
                return Ok(after);
            }
            let tip = entry::Tip {
                kind: entry::tip::Kind::GroupChanged as i32,
                text: change.name.clone().or_else(|| change.announcement.clone()).unwrap_or_default(),
                data: Value::Object(told).to_string(),
                ..entry::Tip::default()
            };
            match self.write(caller, Change { before: Some(before), after, members: Vec::new() }, tip).await {
                Err(error) if error.is_conflict() => tries.lost().await?,
                outcome => return outcome,
            }
        }
    }

    /// Ends a group. Nobody can write to it, join it or find it any more; who was a member keeps what was said.
    ///
    /// One commit, whatever the group's size: the member rows stay, and the last entry tells the members.
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
            let change = Change { before: Some(before), after, members: Vec::new() };
            if self.settled(self.write(caller, change, tip).await, &mut tries).await? {
                return Ok(());
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
        self.check_member_change(&change)?;
        let own = caller.user().is_ok_and(|own| own == user);
        let _turn = self.turns.take(caller.app(), group).await;
        let mut tries = Tries::default();
        loop {
            let before = self.record(caller.app(), group).await?;
            let standing = self.standing(caller, &before).await?;
            let row = self.member_row(caller.app(), group, user).await?.ok_or(Error::NotFound(Noun::Member))?;
            let role = role_in(&before, &row);
            require_may_change(standing, role, own, &change)?;
            let mut member = row.clone();
            let told = apply_to_member(&mut member, &change);
            if member == row {
                return Ok(member);
            }
            let tip = entry::Tip {
                kind: entry::tip::Kind::MemberChanged as i32,
                users: vec![user.0],
                data: Value::Object(told).to_string(),
                ..entry::Tip::default()
            };
            let members = vec![MemberRow::Changes(member.clone())];
            let change = Change { before: Some(before.clone()), after: before, members };
            if self.settled(self.write(caller, change, tip).await, &mut tries).await? {
                return Ok(member);
            }
        }
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
            let former = former.map(|member| store::Member { role: Role::Member as i32, ..member });
            let heir = store::Member { role: Role::Owner as i32, muted_until: 0, ..heir };
            let members = former.into_iter().chain([heir]).map(MemberRow::Changes).collect();
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
            ("custom_fields", &change.custom_fields, self.limits.text),
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
        check_text("custom_fields", change.custom_fields.as_deref().unwrap_or_default(), self.limits.text)?;
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
    if change.role.is_some() {
        standing.require_owner()?;
        if role == Role::Owner {
            return Err(Error::Denied(Denial::OwnerCannotLeave));
        }
    }
    if change.muted_until.is_some() {
        standing.require_above(role)?;
    }
    if (change.card.is_some() || change.custom_fields.is_some()) && !own {
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
        ("custom_fields", &mut group.custom_fields, &change.custom_fields),
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
    if let Some(fields) = change.custom_fields.as_ref().filter(|fields| **fields != member.custom_fields) {
        member.custom_fields.clone_from(fields);
        told.insert("custom_fields".to_owned(), fields.as_str().into());
    }
    told
}
