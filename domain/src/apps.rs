//! Apps: the tenants, and what their servers show to be believed.
//!
//! An app's rows all lie in one home, so that its number, its secret and its record change together.
//! Credentials are kept as hashes; only the key that derives repeatable tokens is kept as it is.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::store;
use storage::{Batch, Clock, Home, Key, Rest, Scan, State, Store, Table};

use crate::caller::{Caller, Subject};
use crate::counters::{Counters, Sequence};
use crate::devices::{Kicks, Reason};
use crate::error::{Error, Noun, Result};
use crate::fresh::Fresh;
use crate::ids::AppNumber;
use crate::retry::Tries;
use crate::{secret, tables};

/// What an app's server presents.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// App id and secret (tenured).
    Secret {
        /// The app's id.
        id: String,
        /// The app's secret.
        secret: String,
    },
    /// The secret alone, which finds its app (openim).
    SecretOnly(String),
    /// App number and the hex MD5 of the secret, in either case (gobelieve).
    SecretMd5 {
        /// The app's number.
        number: u32,
        /// MD5 of the secret, in hex.
        md5: String,
    },
    /// App number and the plain key (gobelieve customers).
    Key {
        /// The app's number.
        number: u32,
        /// The app's key.
        key: String,
    },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret { id, .. } => write!(out, "Secret {{ id: {id:?}, .. }}"),
            Self::SecretOnly(_) => out.write_str("SecretOnly(..)"),
            Self::SecretMd5 { number, .. } => write!(out, "SecretMd5 {{ number: {number}, .. }}"),
            Self::Key { number, .. } => write!(out, "Key {{ number: {number}, .. }}"),
        }
    }
}

/// A new app; what is left out is generated.
#[derive(Clone, Default)]
pub struct NewApp {
    /// The name that app servers use: 1 to 64 of `[A-Za-z0-9_-]`. Unique in the store.
    pub id: Option<String>,
    /// The number that keys carry: 1 to 2^31 - 1. Unique in the store, for ever.
    pub number: Option<u32>,
    /// The public key, 1 to 256 bytes.
    pub key: Option<String>,
    /// The secret, 1 to 256 bytes. Unique in the store, since one dialect knows its app by the secret alone.
    pub secret: Option<String>,
    /// Uids of the users who may act for the app. At most 1,000.
    pub admins: Vec<String>,
    /// Rules of the app's own.
    pub settings: store::AppSettings,
}

impl std::fmt::Debug for NewApp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("NewApp").field("id", &self.id).field("number", &self.number).finish_non_exhaustive()
    }
}

/// What an app's owner must write down: shown once.
#[derive(Clone)]
pub struct Credentials {
    /// The app as it is kept.
    pub app: store::App,
    /// The public key.
    pub key: String,
    /// The secret.
    pub secret: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Credentials").field("app", &self.app.id).finish_non_exhaustive()
    }
}

/// An app's record.
///
/// home: the store itself.  rest: the app's id.  value: `store.App`.
pub(crate) struct AppKey<'a> {
    pub(crate) id: &'a str,
}

impl Key for AppKey<'_> {
    const TABLE: Table = tables::APP;
    type Record = store::App;
    fn home(&self) -> Home {
        tables::root()
    }
    fn rest(&self, out: &mut Rest) {
        out.bytes(self.id.as_bytes());
    }
}

/// Which app has a number or a secret.
///
/// home: the store itself.  rest: 1 and the number as u32, or 2 and the secret's SHA-256.  value: `store.AppIndex`.
pub(crate) enum AppIndexKey {
    Number(u32),
    Secret([u8; 32]),
}

impl Key for AppIndexKey {
    const TABLE: Table = tables::APP_INDEX;
    type Record = store::AppIndex;
    fn home(&self) -> Home {
        tables::root()
    }
    fn rest(&self, out: &mut Rest) {
        match self {
            Self::Number(number) => out.u8(1).u32(*number),
            Self::Secret(hash) => out.u8(2).bytes(hash),
        };
    }
}

/// Finds apps. Other services need this and nothing else of [`Apps`].
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    store: Store,
    /// By number.
    fresh: Fresh<AppNumber, Option<Arc<store::App>>>,
    /// The numbers that ids stood for when somebody last asked. Only of apps that exist, which the operator makes.
    numbers: Arc<RwLock<HashMap<String, AppNumber>>>,
}

impl Directory {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, fresh: Fresh::new(), numbers: Arc::default() }
    }

    /// The app with this number, unless it was deleted more than a second ago.
    pub(crate) async fn by_number(&self, number: AppNumber) -> Result<Option<Arc<store::App>>> {
        let app = self.fresh.get(number, || self.read(number)).await?;
        if app.is_none() {
            // It may be made the next moment.
            self.fresh.forget(number);
        }
        Ok(app)
    }

    async fn read(&self, number: AppNumber) -> Result<Option<Arc<store::App>>> {
        let app = match self.store.get(&AppIndexKey::Number(number.0)).await? {
            Some(index) if index.deleted == 0 => self.store.get(&AppKey { id: &index.id }).await?,
            _ => None,
        };
        Ok(app.filter(|app| app.number == number.0).map(Arc::new))
    }

    /// An app's settings as they are now, or were a second ago. A caller's copy may be as old as its connection.
    pub(crate) async fn settings(&self, number: AppNumber) -> Result<store::AppSettings> {
        Ok(self.by_number(number).await?.and_then(|app| app.settings).unwrap_or_default())
    }

    /// The app with this id, unless it was deleted more than a second ago.
    async fn named(&self, id: &str) -> Result<Option<Arc<store::App>>> {
        let number = self.numbers.read().get(id).copied();
        // Another app may have the id by now, with another number.
        if let Some(number) = number
            && let Some(app) = self.by_number(number).await?
            && app.id == id
        {
            return Ok(Some(app));
        }
        let found = self.by_id(id).await?;
        if let Some(app) = &found {
            self.numbers.write().insert(id.to_owned(), AppNumber(app.number));
        }
        Ok(found)
    }

    async fn by_id(&self, id: &str) -> Result<Option<Arc<store::App>>> {
        Ok(self.store.get(&AppKey { id }).await?.map(Arc::new))
    }

    async fn by_secret(&self, secret: &str) -> Result<Option<Arc<store::App>>> {
        match self.store.get(&AppIndexKey::Secret(secret::sha256(secret.as_bytes()))).await? {
            Some(index) => self.by_id(&index.id).await,
            None => Ok(None),
        }
    }

    /// Changes an app's settings; other processes see them within a second.
    pub(crate) async fn set(&self, id: &str, change: impl Fn(&mut store::AppSettings)) -> Result<store::App> {
        let mut tries = Tries::default();
        loop {
            let old = self.store.get(&AppKey { id }).await?.ok_or(Error::NotFound(Noun::App))?;
            let mut app = old.clone();
            change(app.settings.get_or_insert_default());
            check_settings(app.settings.as_ref())?;
            let mut batch = Batch::new(tables::root());
            batch.expect_unchanged(&AppKey { id }, Some(&old)).put(&AppKey { id }, &app);
            if tries.settled(self.store.commit(batch).await).await? {
                self.forget(app.number);
                return Ok(app);
            }
        }
    }

    fn forget(&self, number: u32) {
        self.fresh.forget(AppNumber(number));
    }
}

/// See the module.
#[derive(Debug)]
pub struct Apps {
    store: Store,
    clock: Clock,
    counters: Counters,
    directory: Directory,
    kicks: Kicks,
}

impl Apps {
    pub(crate) fn new(store: Store, clock: Clock, counters: Counters, directory: Directory, kicks: Kicks) -> Self {
        Self { store, clock, counters, directory, kicks }
    }

    /// Creates an app. For the machine's operator only, so it takes no caller.
    ///
    /// # Errors
    /// `Invalid`; `Exists(App)` if the id, the number or the secret is in use, or the number ever was.
    pub async fn create(&self, new: NewApp) -> Result<Credentials> {
        let mut tries = Tries::default();
        let key = new.key.clone().unwrap_or_else(|| secret::random_text(20));
        let secret = new.secret.clone().unwrap_or_else(|| secret::random_text(32));
        let id = new.id.clone().unwrap_or_else(|| format!("app-{}", secret::random_text(8).to_lowercase()));
        check_new(&new, &id, &key, &secret)?;
        loop {
            let number = match new.number {
                Some(number) => number,
                None => self.free_number().await?,
            };
            let mut app = store::App {
                id: id.clone(),
                number,
                signing_key: secret::random_bytes::<32>().to_vec().into(),
                admins: new.admins.clone(),
                created: self.clock.now().0,
                settings: Some(new.settings),
                ..store::App::default()
            };
            let secret_hash = hash_into(&mut app, &key, &secret);
            let index = store::AppIndex { id: id.clone(), deleted: 0 };
            let mut batch = Batch::new(tables::root());
            batch
                .expect(&AppKey { id: &id }, State::Absent)
                .expect(&AppIndexKey::Number(number), State::Absent)
                .expect(&AppIndexKey::Secret(secret_hash), State::Absent)
                .put(&AppKey { id: &id }, &app)
                .put(&AppIndexKey::Number(number), &index)
                .put(&AppIndexKey::Secret(secret_hash), &index);
            if tries.settled(self.store.commit(batch).await).await? {
                return Ok(Credentials { app: without_secrets(app), key, secret });
            }
            let taken = [AppIndexKey::Number(new.number.unwrap_or(0)), AppIndexKey::Secret(secret_hash)];
            let taken = self.store.get_many(&taken).await?.iter().any(Option::is_some);
            if taken || self.directory.by_id(&id).await?.is_some() {
                return Err(Error::Exists(Noun::App));
            }
        }
    }

    /// All apps, by number. Their hashes and keys are left out.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<store::App>> {
        let rows = self.store.scan(Scan::<AppKey<'_>>::new(tables::root(), usize::MAX)).await?;
        let mut apps: Vec<_> = rows.into_iter().map(|row| without_secrets(row.record)).collect();
        apps.sort_by_key(|app| app.number);
        Ok(apps)
    }

    /// One app by its id, without its hashes and keys.
    ///
    /// # Errors
    /// `NotFound(App)`.
    pub async fn find(&self, id: &str) -> Result<store::App> {
        let app = self.directory.by_id(id).await?.ok_or(Error::NotFound(Noun::App))?;
        Ok(without_secrets(store::App::clone(&app)))
    }

    /// New key and secret; the old ones stop working within a second. Users' tokens stay good.
    ///
    /// # Errors
    /// `NotFound(App)`.
    pub async fn rotate(&self, id: &str) -> Result<Credentials> {
        let (key, secret) = (secret::random_text(20), secret::random_text(32));
        let mut tries = Tries::default();
        loop {
            let old = self.store.get(&AppKey { id }).await?.ok_or(Error::NotFound(Noun::App))?;
            let mut app = old.clone();
            let secret_hash = hash_into(&mut app, &key, &secret);
            let mut batch = Batch::new(tables::root());
            batch
                .expect_unchanged(&AppKey { id }, Some(&old))
                .delete(&secret_index(&old))
                .put(&AppKey { id }, &app)
                .put(&AppIndexKey::Secret(secret_hash), &store::AppIndex { id: id.to_owned(), deleted: 0 });
            if tries.settled(self.store.commit(batch).await).await? {
                self.directory.forget(app.number);
                return Ok(Credentials { app: without_secrets(app), key, secret });
            }
        }
    }

    /// Changes an app's settings; every process sees them within a second. For the machine's operator only, so it takes no caller.
    ///
    /// # Errors
    /// `NotFound(App)`, `Invalid`.
    pub async fn set(&self, id: &str, change: impl Fn(&mut store::AppSettings)) -> Result<store::App> {
        self.directory.set(id, change).await.map(without_secrets)
    }

    /// Deletes an app: its credentials and tokens stop working, and its users' sessions end, within a second and in every process.
    /// A crash in between leaves sessions that end with their connections only.
    ///
    /// The app's record goes at once, and with it the only way to its data: every home of the app carries its number, and a number is never
    /// given again. The rows themselves stay on disk, unreachable, until the store is rebuilt; whoever must erase them erases the store.
    /// The id may be used again, by an app that is another one.
    ///
    /// # Errors
    /// `NotFound(App)`.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let mut tries = Tries::default();
        loop {
            let old = self.store.get(&AppKey { id }).await?.ok_or(Error::NotFound(Noun::App))?;
            let gone = store::AppIndex { id: id.to_owned(), deleted: self.clock.now().0.max(1) };
            let mut batch = Batch::new(tables::root());
            batch
                .expect_unchanged(&AppKey { id }, Some(&old))
                .delete(&AppKey { id })
                .delete(&secret_index(&old))
                .put(&AppIndexKey::Number(old.number), &gone);
            if tries.settled(self.store.commit(batch).await).await? {
                self.directory.forget(old.number);
                self.kicks.everyone(AppNumber(old.number), Reason::TokenRevoked, "the app was deleted").await;
                return Ok(());
            }
        }
    }

    /// A caller for the machine's operator in one app, as the app's server would be.
    ///
    /// # Errors
    /// `NotFound(App)`.
    pub async fn operator(&self, number: AppNumber) -> Result<Caller> {
        self.caller_by_number(number, Subject::Server).await
    }

    /// The app's server, by its credential.
    ///
    /// # Errors
    /// `Unauthenticated`, with the same answer for an unknown app and a wrong secret.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Caller> {
        let (app, right) = match credential {
            Credential::Secret { id, secret } => {
                let app = self.directory.by_id(id).await?;
                let right = app.as_ref().is_some_and(|app| secret::matches(secret, &app.secret_hash));
                (app, right)
            }
            Credential::SecretOnly(secret) => {
                let app = self.directory.by_secret(secret).await?;
                let right = app.as_ref().is_some_and(|app| secret::matches(secret, &app.secret_hash));
                (app, right)
            }
            Credential::SecretMd5 { number, md5 } => {
                let app = self.directory.by_number(AppNumber(*number)).await?;
                let shown = md5.to_ascii_lowercase();
                let right = app.as_ref().is_some_and(|app| secret::matches(&shown, &app.secret_md5_hash));
                (app, right)
            }
            Credential::Key { number, key } => {
                let app = self.directory.by_number(AppNumber(*number)).await?;
                let right = app.as_ref().is_some_and(|app| secret::matches(key, &app.key_hash));
                (app, right)
            }
        };
        let app = app.filter(|_| right).ok_or(Error::Unauthenticated("the app or its secret is wrong"))?;
        Ok(Caller::new(app, Subject::Server))
    }

    /// Nobody yet, in the app with this id: may register and log in.
    ///
    /// # Errors
    /// `NotFound(App)`.
    pub async fn anonymous(&self, id: &str) -> Result<Caller> {
        let app = self.directory.named(id).await?.ok_or(Error::NotFound(Noun::App))?;
        Ok(Caller::new(app, Subject::Anonymous))
    }

    /// As [`Self::anonymous`], by number.
    ///
    /// # Errors
    /// `NotFound(App)`.
    pub async fn anonymous_by_number(&self, number: AppNumber) -> Result<Caller> {
        self.caller_by_number(number, Subject::Anonymous).await
    }

    async fn caller_by_number(&self, number: AppNumber, subject: Subject) -> Result<Caller> {
        let app = self.directory.by_number(number).await?.ok_or(Error::NotFound(Noun::App))?;
        Ok(Caller::new(app, subject))
    }

    /// The next number that no app has or had: explicit numbers may lie in the counter's way.
    async fn free_number(&self) -> Result<u32> {
        loop {
            let number = self.counters.next(AppNumber(0), Sequence::Apps).await?;
            let number = u32::try_from(number).expect("the sequence ends below 2^31");
            if self.store.get(&AppIndexKey::Number(number)).await?.is_none() {
                return Ok(number);
            }
        }
    }
}

fn check_new(new: &NewApp, id: &str, key: &str, secret: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=64).contains(&id.len()) || !id.bytes().all(plain) {
        return Err(invalid("id", "1 to 64 letters, digits, - and _"));
    }
    if new.number.is_some_and(|number| number == 0 || number >= 1 << 31) {
        return Err(invalid("number", "1 to 2147483647"));
    }
    for (field, text) in [("key", key), ("secret", secret)] {
        if !(1..=256).contains(&text.len()) {
            return Err(invalid(field, "1 to 256 bytes"));
        }
    }
    if new.admins.len() > 1_000 || new.admins.iter().any(|uid| !(1..=64).contains(&uid.len())) {
        return Err(invalid("admins", "at most 1,000 uids of 1 to 64 bytes"));
    }
    check_settings(Some(&new.settings))
}

fn check_settings(settings: Option<&store::AppSettings>) -> Result<()> {
    let retention = settings.map_or(0, |settings| settings.retention_ms);
    if retention < 0 { Err(invalid("retention", "0 or more")) } else { Ok(()) }
}

fn invalid(field: &'static str, message: &str) -> Error {
    Error::Invalid { field, message: message.to_owned() }
}

/// Puts the hashes of both credentials into the record, and answers the secret's.
fn hash_into(app: &mut store::App, key: &str, secret: &str) -> [u8; 32] {
    let secret_hash = secret::sha256(secret.as_bytes());
    app.key_hash = secret::sha256(key.as_bytes()).to_vec().into();
    app.secret_hash = secret_hash.to_vec().into();
    app.secret_md5_hash = secret::sha256(secret::md5_hex(secret).as_bytes()).to_vec().into();
    secret_hash
}

fn secret_index(app: &store::App) -> AppIndexKey {
    AppIndexKey::Secret(app.secret_hash[..].try_into().unwrap_or_default())
}

fn without_secrets(mut app: store::App) -> store::App {
    app.key_hash.clear();
    app.secret_hash.clear();
    app.secret_md5_hash.clear();
    app.signing_key.clear();
    app
}
