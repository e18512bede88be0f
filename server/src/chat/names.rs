//! What to call people and conversations.

use std::collections::HashMap;

use linnet_sdk::{Client, ConversationId, User};

/// Names that were looked up, and are not asked for again.
#[derive(Debug, Default)]
pub(super) struct Names {
    users: HashMap<u64, String>,
    groups: HashMap<u64, String>,
}

impl Names {
    /// A user's display name, or the id where there is nothing better.
    pub(super) async fn user(&mut self, client: &Client, id: u64) -> String {
        if id == 0 {
            return "the app".to_owned();
        }
        if let Some(name) = self.users.get(&id) {
            return name.clone();
        }
        match client.find_users(&[id], &[]).await {
            Ok(users) => {
                let name = users.first().map_or_else(|| id.to_string(), called);
                self.users.insert(id, name.clone());
                name
            }
            // Asked again next time: the connection may be back by then.
            Err(_) => id.to_string(),
        }
    }

    /// What a conversation is called, as seen by `me`.
    pub(super) async fn conversation(&mut self, client: &Client, id: ConversationId, me: u64) -> String {
        match id {
            ConversationId::Direct { .. } => self.user(client, id.peer_of(me).unwrap_or(me)).await,
            ConversationId::Group(group) => self.group(client, group).await,
            ConversationId::Notices(_) => "notices".to_owned(),
        }
    }

    async fn group(&mut self, client: &Client, id: u64) -> String {
        if let Some(name) = self.groups.get(&id) {
            return name.clone();
        }
        match client.group(id).await {
            Ok(group) => {
                let name = [group.name, group.gid].into_iter().find(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| format!("group {id}"));
                self.groups.insert(id, name.clone());
                name
            }
            Err(_) => format!("group {id}"),
        }
    }
}

fn called(user: &User) -> String {
    [&user.name, &user.uid].into_iter().find(|name| !name.is_empty()).cloned().unwrap_or_else(|| user.id.to_string())
}
