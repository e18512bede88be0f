//! Who the generator logs in as: a file with one user a line, `uid<TAB>id<TAB>token`.

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// One user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The app's own id of the user.
    pub uid: String,
    /// The user id.
    pub id: u64,
    /// What the user logs in with.
    pub token: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "User({})", self.id)
    }
}

/// Reads the file, and makes sure that it names enough users.
pub(crate) fn read(path: &Path, wanted: usize) -> anyhow::Result<Vec<User>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let users = parse(&text).with_context(|| format!("in {}", path.display()))?;
    if users.len() < wanted {
        bail!("{} names {} users, and {wanted} are needed", path.display(), users.len());
    }
    Ok(users)
}

fn parse(text: &str) -> anyhow::Result<Vec<User>> {
    let mut users = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut fields = line.split('\t');
        let (Some(uid), Some(id), Some(token), None) = (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            bail!("line {}: expected uid<TAB>id<TAB>token", number + 1);
        };
        let id = id.trim().parse().with_context(|| format!("line {}: {id} is not a user id", number + 1))?;
        users.push(User { uid: uid.trim().to_owned(), id, token: token.trim().to_owned() });
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_a_line() {
        let users = parse("# made by hand\nalice\t1\tsecret\n\nbob\t2\tother\r\n").unwrap();
        assert_eq!(
            users.iter().map(|user| (user.uid.as_str(), user.id, user.token.as_str())).collect::<Vec<_>>(),
            [("alice", 1, "secret"), ("bob", 2, "other")]
        );
    }

    #[test]
    fn a_bad_line_is_named_without_its_token() {
        for text in ["alice\t1\tsecret\nbob 2 secret", "a\t1\ts\nb\tx\tsecret", "a\t1\ts\nb\t2\tsecret\tmore"] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
        }
    }
}
