//! Apps: the tenants, and what their servers show to be believed.

use proto::store;

use crate::caller::Caller;
use crate::error::Result;
use crate::ids::AppNumber;

/// What an app's server presents.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// App id and secret (tenured).
    Secret { id: String, secret: String },
    /// The secret alone, which finds its app (openim).
    SecretOnly(String),
    /// App number and the lower-case hex MD5 of the secret (gobelieve).
    SecretMd5 { number: u32, md5: String },
    /// App number and the plain key (gobelieve customers).
    Key { number: u32, key: String },
}

/// A new app; what is left out is generated.
#[derive(Debug, Clone, Default)]
pub struct NewApp {
    pub id: Option<String>,
    pub number: Option<u32>,
    pub key: Option<String>,
    pub secret: Option<String>,
    pub admins: Vec<String>,
    pub settings: store::AppSettings,
}

/// What an app's owner must write down: shown once.
#[derive(Clone)]
pub struct Credentials {
    pub app: store::App,
    pub key: String,
    pub secret: String,
}

/// See the module.
#[derive(Debug)]
pub struct Apps {}

impl Apps {
    /// Creates an app. For the machine's operator only, so it takes no caller.
    pub async fn create(&self, new: NewApp) -> Result<Credentials> { todo!() }
    /// All apps, by number.
    pub async fn list(&self) -> Result<Vec<store::App>> { todo!() }
    /// One app by its id.
    pub async fn find(&self, id: &str) -> Result<store::App> { todo!() }
    /// New key and secret; the old ones stop working within a second.
    pub async fn rotate(&self, id: &str) -> Result<Credentials> { todo!() }
    /// Deletes an app: its credentials and tokens stop working within a second. Its data is dropped.
    pub async fn delete(&self, id: &str) -> Result<()> { todo!() }
    /// A caller for the machine's operator in one app, as the app's server would be.
    pub async fn operator(&self, number: AppNumber) -> Result<Caller> { todo!() }
    /// The app's server, by its credential. # Errors: `Unauthenticated`.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Caller> { todo!() }
    /// Nobody yet, in the app with this id: may register and log in. # Errors: `NotFound(App)`.
    pub async fn anonymous(&self, id: &str) -> Result<Caller> { todo!() }
    /// As [`Self::anonymous`], by number.
    pub async fn anonymous_by_number(&self, number: AppNumber) -> Result<Caller> { todo!() }
}
