//! Passwords: argon2id, a few at a time.
//!
//! Each hash takes 19 MiB and a core for tens of milliseconds, unless configured otherwise, so they run beside the runtime, and no more at once
//! than the configuration says.
//! Those who wait are bounded too: a flood of logins is told to come back, and harms nobody else.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use storage::units::ByteSize;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::error::{Error, Result};

/// Longest password, in bytes: hashing reads all of it.
const LONGEST: usize = 1024;

/// Salt and hash of nobody's password. Random bytes: no password is known to match, and a match would be ignored.
const NOBODYS: &str = "$Vm9nZWxsaWVkYW1CYWNo$3pXo5bJ1nQbqkq2C0bq2m0y8Q8m5mE0m8nL0p9v0b1U";

/// Most memory that one hash may be told to take.
const MOST_MEMORY: ByteSize = ByteSize::mib(1024);

/// Hashes and verifies. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Passwords {
    params: Params,
    /// What a password is checked against where there is no user, so that an unknown one takes as long as a known one.
    nobody: Arc<str>,
    running: Arc<Semaphore>,
    /// Those who run and those who wait.
    admitted: Arc<Semaphore>,
}

impl Passwords {
    /// With the limits and the cost that the configuration says.
    pub(crate) fn new(config: &Config) -> Self {
        let at_once = config.password_hashes.max(1);
        let memory = config.password_memory.0.min(MOST_MEMORY.0) / 1024;
        let memory = u32::try_from(memory).unwrap_or(u32::MAX).max(Params::MIN_M_COST);
        let rounds = config.password_rounds.max(Params::MIN_T_COST);
        let params = Params::new(memory, rounds, 1, None).expect("the cost is brought within argon2's bounds");
        Self {
            params,
            nobody: format!("$argon2id$v=19$m={memory},t={rounds},p=1{NOBODYS}").into(),
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + config.password_queue)),
        }
    }

    /// The PHC string to keep.
    ///
    /// # Errors
    /// `Invalid` for an empty or overlong password; `Limited` when too many wait.
    pub(crate) async fn hash(&self, password: &str) -> Result<String> {
        if password.is_empty() || password.len() > LONGEST {
            return Err(Error::Invalid { field: "password", message: format!("1 to {LONGEST} bytes") });
        }
        let password = password.to_owned();
        let argon2 = self.argon2();
        self.run(move || {
            let hash = argon2.hash_password(password.as_bytes()).expect("the parameters and the length are valid");
            hash.to_string()
        })
        .await
    }

    /// Whether the password is the one that was hashed. Without a hash, takes the same time and says no.
    ///
    /// # Errors
    /// `Limited` when too many wait.
    pub(crate) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        if password.len() > LONGEST {
            return Ok(false);
        }
        let password = password.to_owned();
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let argon2 = self.argon2();
        let right = self
            .run(move || match PasswordHash::new(&hash) {
                // What a hash has cost is told in it: one from before another setting is still good.
                Ok(hash) => argon2.verify_password(password.as_bytes(), &hash).is_ok(),
                Err(error) => {
                    tracing::error!(%error, "a kept password hash cannot be read; its user cannot log in");
                    false
                }
            })
            .await?;
        Ok(right && known)
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let busy = Error::Limited { retry_after: Duration::from_secs(1) };
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| busy.clone())?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| busy.clone())?;
        // The permits move along: work that nobody waits for any more still takes its memory and its core.
        let work = move || {
            let _held = (admitted, running);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(password_hashes: usize, password_queue: usize) -> Passwords {
        Passwords::new(&Config { password_hashes, password_queue, ..Config::default() })
    }

    #[tokio::test]
    async fn the_right_password_only() {
        let passwords = passwords(2, 8);
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("correct horse", Some("not a hash")).await.unwrap());
        assert_ne!(hash, passwords.hash("correct horse").await.unwrap(), "each hash has its own salt");
    }

    #[tokio::test]
    async fn lengths_are_bounded() {
        let passwords = passwords(1, 1);
        assert!(matches!(passwords.hash("").await, Err(Error::Invalid { field: "password", .. })));
        assert!(matches!(passwords.hash(&"x".repeat(1025)).await, Err(Error::Invalid { .. })));
        assert!(!passwords.verify(&"x".repeat(1 << 20), None).await.unwrap());
    }

    fn cheap() -> Config {
        Config { password_memory: ByteSize(64 << 10), password_rounds: 1, ..Config::default() }
    }

    #[test]
    fn an_unknown_user_costs_the_same_work() {
        for config in [Config::default(), cheap()] {
            let passwords = Passwords::new(&config);
            let nobody = PasswordHash::new(&passwords.nobody).unwrap();
            let known = passwords.argon2().hash_password(b"x").unwrap();
            assert_eq!(nobody.algorithm, known.algorithm);
            assert_eq!(nobody.version, known.version);
            assert_eq!(Params::try_from(&nobody).unwrap(), Params::try_from(&known).unwrap());
        }
    }

    #[tokio::test]
    async fn what_was_hashed_at_another_cost_is_still_good() {
        let (dear, cheap) = (passwords(1, 1), Passwords::new(&cheap()));
        let hash = cheap.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(dear.verify("correct horse", Some(&hash)).await.unwrap());
        let hash = dear.hash("correct horse").await.unwrap();
        assert!(cheap.verify("correct horse", Some(&hash)).await.unwrap());
    }

    #[tokio::test]
    async fn a_cost_out_of_bounds_is_brought_within() {
        let absurd = Config { password_memory: ByteSize(0), password_rounds: 0, ..Config::default() };
        let hash = Passwords::new(&absurd).hash("x").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flood_is_told_to_come_back() {
        let passwords = passwords(1, 2);
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify("x", None).await })
            })
            .collect();
        let mut refused = 0;
        for task in tasks {
            refused += usize::from(matches!(task.await.unwrap(), Err(Error::Limited { .. })));
        }
        assert!(refused > 0, "twelve at once do not fit");
        assert!(!passwords.verify("x", None).await.unwrap(), "afterwards there is room again");
    }
}
