//! Groups as anybody would picture them.

use std::collections::{BTreeMap, BTreeSet};

use domain::entry::tip::Kind;
use domain::record::Role;

use super::{BARRED, By, CAPACITY, NOT_ADMIN, NOT_OWNER, USERS};

/// A group as anybody would picture it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) owner: u64,
    pub(super) members: BTreeMap<u64, Role>,
    pub(super) muted: BTreeSet<u64>,
    pub(super) blocked: BTreeSet<u64>,
    pub(super) private: bool,
    pub(super) open: bool,
    pub(super) dismissed: bool,
    pub(super) story: Vec<Kind>,
}

pub(super) type Answer = Result<String, String>;

pub(super) fn no(why: &str) -> Answer {
    Err(why.to_owned())
}

impl Group {
    /// 3 the app, 2 owner, 1 admin, 0 member; `None` for strangers.
    fn rank(&self, by: By) -> Option<u8> {
        match by {
            By::Server => Some(3),
            By::User(user) if user == self.owner => Some(2),
            By::User(user) => self.members.get(&user).map(|role| u8::from(*role == Role::Admin)),
        }
    }

    pub(super) fn add(&mut self, by: By, users: &[u64]) -> Answer {
        match self.rank(by) {
            None => return no("not a member"),
            Some(0) if !self.private => return no(NOT_ADMIN),
            Some(_) => {}
        }
        let before = self.members.len();
        let mut results = Vec::new();
        for user in users {
            results.push(if *user > USERS {
                "user not found"
            } else if self.members.contains_key(user) {
                "already"
            } else if self.blocked.contains(user) {
                BARRED
            } else if self.members.len() == CAPACITY {
                "the group is full"
            } else {
                self.members.insert(*user, if *user == self.owner { Role::Owner } else { Role::Member });
                "yes"
            });
        }
        if self.members.len() > before {
            self.story.push(Kind::MembersAdded);
        }
        Ok(results.join(", "))
    }

    pub(super) fn remove(&mut self, by: By, users: &[u64]) -> Answer {
        let rank = self.rank(by).ok_or("not a member")?;
        if rank == 0 {
            return no(NOT_ADMIN);
        }
        for user in self.members.keys().filter(|user| users.contains(user)) {
            let theirs = self.rank(By::User(*user)).unwrap();
            if rank == 2 && theirs == 2 {
                return no("the owner cannot leave the group");
            }
            if rank == 1 && theirs > 0 {
                return no(NOT_OWNER);
            }
        }
        let before = self.members.len();
        self.members.retain(|user, _| !users.contains(user));
        self.muted.retain(|user| !users.contains(user));
        if self.members.len() < before {
            self.story.push(Kind::MembersRemoved);
        }
        Ok(String::new())
    }

    pub(super) fn join(&mut self, by: u64) -> Answer {
        if self.members.contains_key(&by) {
            return Ok(String::new());
        }
        if !self.open && self.owner != by {
            return no("the group cannot be joined");
        }
        if self.blocked.contains(&by) {
            return no(BARRED);
        }
        if self.members.len() == CAPACITY {
            return no("the group is full");
        }
        self.members.insert(by, if by == self.owner { Role::Owner } else { Role::Member });
        self.story.push(Kind::MembersAdded);
        Ok(String::new())
    }

    pub(super) fn leave(&mut self, by: u64) -> Answer {
        if by == self.owner {
            return no("the owner cannot leave the group");
        }
        self.members.remove(&by).ok_or("not a member")?;
        self.muted.remove(&by);
        self.story.push(Kind::MemberLeft);
        Ok(String::new())
    }

    pub(super) fn set_admin(&mut self, by: By, user: u64, admin: bool) -> Answer {
        if self.rank(by).ok_or("not a member")? < 2 {
            return no(NOT_OWNER);
        }
        let role = self.members.get_mut(&user).ok_or("member not found")?;
        if user == self.owner {
            return no("the owner cannot leave the group");
        }
        let new = if admin { Role::Admin } else { Role::Member };
        if *role != new {
            *role = new;
            self.story.push(Kind::MemberChanged);
        }
        Ok(String::new())
    }

    pub(super) fn mute(&mut self, by: By, users: &[u64], muted: bool) -> Answer {
        let rank = self.rank(by).ok_or("not a member")?;
        if rank == 0 {
            return no(NOT_ADMIN);
        }
        let mut results = Vec::new();
        let before = self.muted.clone();
        for user in users {
            results.push(match self.members.get(user) {
                None => "member not found",
                Some(role) if rank == 1 && *role != Role::Member => NOT_OWNER,
                Some(_) => {
                    if muted {
                        self.muted.insert(*user)
                    } else {
                        self.muted.remove(user)
                    };
                    "done"
                }
            });
        }
        if self.muted != before {
            self.story.push(Kind::MemberChanged);
        }
        Ok(results.join(", "))
    }

    pub(super) fn block(&mut self, by: By, users: &[u64]) -> Answer {
        let rank = self.rank(by).ok_or("not a member")?;
        if rank == 0 {
            return no(NOT_ADMIN);
        }
        let mut results = Vec::new();
        let before = self.blocked.len();
        for user in users {
            results.push(match self.members.get(user) {
                _ if *user > USERS => "user not found",
                _ if *user == self.owner => "the owner cannot leave the group",
                Some(Role::Admin) if rank == 1 => NOT_OWNER,
                _ => {
                    self.blocked.insert(*user);
                    "done"
                }
            });
        }
        self.members.retain(|user, _| !self.blocked.contains(user));
        self.muted.retain(|user| !self.blocked.contains(user));
        if self.blocked.len() > before {
            self.story.push(Kind::MembersBlocked);
        }
        Ok(results.join(", "))
    }

    pub(super) fn unblock(&mut self, by: By, users: &[u64]) -> Answer {
        if self.rank(by).ok_or("not a member")? == 0 {
            return no(NOT_ADMIN);
        }
        let result = |user: &u64| if self.blocked.contains(user) { "done" } else { "user not found" };
        let results: Vec<_> = users.iter().map(result).collect();
        let before = self.blocked.len();
        self.blocked.retain(|user| !users.contains(user));
        if self.blocked.len() < before {
            self.story.push(Kind::MembersUnblocked);
        }
        Ok(results.join(", "))
    }

    pub(super) fn transfer(&mut self, by: By, to: u64) -> Answer {
        if self.rank(by).ok_or("not a member")? < 2 {
            return no(NOT_OWNER);
        }
        if !self.members.contains_key(&to) {
            return no("member not found");
        }
        if self.owner != to {
            if let Some(role) = self.members.get_mut(&self.owner) {
                *role = Role::Member;
            }
            self.members.insert(to, Role::Owner);
            self.muted.remove(&to);
            self.owner = to;
            self.story.push(Kind::OwnerChanged);
        }
        Ok(String::new())
    }

    pub(super) fn dismiss(&mut self, by: By) -> Answer {
        if self.rank(by).ok_or("not a member")? < 2 {
            return no(NOT_OWNER);
        }
        self.dismissed = true;
        self.story.push(Kind::GroupDismissed);
        Ok(String::new())
    }
}

pub(super) fn create(by: By, private: bool, open: bool, members: &[u64]) -> Result<Group, String> {
    let owner = if let By::User(user) = by { user } else { 0 };
    let mut all: BTreeMap<u64, Role> = members.iter().map(|user| (*user, Role::Member)).collect();
    if owner != 0 {
        all.insert(owner, Role::Owner);
    }
    if all.len() > CAPACITY {
        return Err("the group is full".to_owned());
    }
    let (muted, blocked) = (BTreeSet::new(), BTreeSet::new());
    Ok(Group { owner, members: all, muted, blocked, private, open, dismissed: false, story: vec![Kind::GroupCreated] })
}
