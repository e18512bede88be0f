//! Who is let in where: every route's first `ok` request, sent again under credentials that must not do.
//!
//! The cases come from the route tables and the golden files, so that a new route is tried as soon as it has one. Whoever is refused
//! must leave no trace in the store; and in the end the request is sent once more, under a credential that does, so that what was
//! refused before was refused for its credential.

mod credential;

use domain::groups::{Added, MemberChange};
use domain::record::Role;
use domain::tokens::Issue;
use domain::users::NewUser;
use domain::{AppNumber, Caller, GroupId, GroupRef, UserId};
use serde_json::Value;

use self::credential::{Scheme, WRONG};
use crate::errors::form;
use crate::golden::format::{Access, File, files, is_part};
use crate::golden::replay::{Filled, fill_text};
use crate::golden::stage;
use crate::world::{Answer, OTHER_SECRET, SECRET, World, basic};

/// The app of the golden files, and the one beside it.
const APP: AppNumber = AppNumber(7);
const OTHER: AppNumber = AppNumber(8);

/// One route's request, in the world that it was made for.
struct Trial {
    dialect: &'static str,
    world: World,
    request: Filled,
    scheme: Scheme,
    /// What went wrong.
    wrong: Vec<String>,
}

#[tokio::test]
async fn nobody_gets_further_than_the_credential_reaches() {
    let only = std::env::var("LINNET_GOLDEN").unwrap_or_default();
    let mut wrong = Vec::new();
    for (name, file) in files().into_iter().filter(|(name, _)| !is_part(name) && name.starts_with(&only)) {
        // Twins share a handler.
        let problems = try_route(&name, &file.route.methods[0]).await;
        wrong.extend(problems.into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_route_says_who_may_call_it() {
    let files = files();
    let mut wrong = Vec::new();
    for table in rest::tables() {
        for endpoint in &table.endpoints {
            let about = files.iter().filter(|(name, file)| {
                !is_part(name)
                    && name.starts_with(&format!("{}/", table.dialect))
                    && file.route.path == endpoint.path
                    && endpoint
                        .methods
                        .each()
                        .any(|method| file.route.methods.iter().any(|each| each == method.as_str()))
            });
            let mut count = 0;
            for (name, file) in about {
                count += 1;
                match file.access {
                    None => wrong.push(format!("{name}: no `access`")),
                    Some(Access::Public) if !endpoint.public => wrong.push(format!("{name}: is not public")),
                    Some(_) if endpoint.public && file.access != Some(Access::Public) => {
                        wrong.push(format!("{name}: is public"));
                    }
                    Some(_) => {}
                }
            }
            if count == 0 {
                wrong.push(format!("{}: no golden file", endpoint.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn try_route(name: &str, method: &str) -> Vec<String> {
    let mut file = crate::golden::format::load(name);
    let Some(access) = file.access.filter(|access| *access != Access::Public) else { return Vec::new() };
    let (world, request, values) = match stage(name, &mut file, method).await {
        Ok(staged) => staged,
        Err(problem) => return vec![problem],
    };
    let dialect = rest::tables().iter().map(|table| table.dialect).find(|dialect| name.starts_with(dialect)).unwrap();
    let Some(scheme) = Scheme::of(dialect, &request) else {
        return vec!["the first `ok` request shows no credential".into()];
    };
    let group = file.group.as_ref().map(|group| fill_text(group, &values));
    let mut trial = Trial { dialect, world, request, scheme, wrong: Vec::new() };
    trial.authentication().await;
    match access {
        Access::App => trial.lower_than_the_app().await,
        Access::Member | Access::Admin | Access::Owner => {
            let group = trial.group(&file, group.as_deref().unwrap_or_default()).await;
            trial.lower_than(access, group, file.speaks).await;
        }
        Access::Public | Access::User => {}
    }
    trial.control().await;
    trial.wrong
}

impl Trial {
    /// Sends the request under a credential that must be refused, and leave nothing behind. The answer, in words.
    async fn refused(&mut self, who: &str, credential: Option<&str>) -> String {
        let request = self.scheme.put(&self.request, credential);
        self.refused_request(who, &request).await
    }

    async fn refused_request(&mut self, who: &str, request: &Filled) -> String {
        let before = self.rows(APP);
        let answer = request.send(&self.world).await;
        if let Err(problem) = form(self.dialect, &answer) {
            self.wrong.push(format!("{who}: {problem}"));
        }
        if self.rows(APP) != before {
            self.wrong.push(format!("{who}: was refused, and changed the store all the same"));
        }
        format!("{} {}", answer.status, answer.text)
    }

    /// Everything that an app has.
    fn rows(&self, app: AppNumber) -> Vec<(u8, Vec<u8>, Vec<u8>)> {
        /// Ids that were set aside and not used harm nobody.
        const COUNTERS: u8 = 1;
        let rows = self.world.store.rows().into_iter();
        rows.filter(|(_, home, ..)| home.as_bytes()[..4] == app.0.to_be_bytes() && home.as_bytes()[4] != COUNTERS)
            .map(|(table, home, rest, value)| (table, [home.as_bytes(), &rest].concat(), value.to_vec()))
            .collect()
    }

    async fn operator(&self, app: AppNumber) -> Caller {
        self.world.domain.apps.operator(app).await.unwrap()
    }

    /// Somebody new in an app; with a credential for the dialect.
    async fn somebody(&self, app: AppNumber, uid: &str) -> (UserId, String) {
        somebody(&self.world, self.dialect, app, uid).await
    }

    async fn token(&self, app: AppNumber, user: UserId, lifetime: Option<std::time::Duration>) -> String {
        let issue = Issue { dialect: self.dialect, platform: 0, lifetime, repeatable: false };
        self.world.domain.tokens.issue(&self.operator(app).await, user, issue).await.unwrap().text
    }

    fn pass(&self, seconds: i64) {
        let now = self.world.clock.now();
        self.world.clock.set(domain::Millis(now.0 + seconds * 1000));
    }

    // ------------------------------------------------------------ who it is

    async fn authentication(&mut self) {
        self.refused("no credential", None).await;
        match self.scheme {
            Scheme::Token { .. } => self.tokens().await,
            Scheme::Basic => {
                self.refused("no base64", Some("%%%")).await;
                self.refused("a wrong secret", Some(&basic(7, "wrong"))).await;
                self.refused("an app that is not there", Some(&basic(99, SECRET))).await;
                let request = self.scheme.put(&self.request, Some(&basic(8, OTHER_SECRET)));
                self.another_tenant(request.clone(), request).await;
            }
            Scheme::Secret { .. } => {
                self.refused("a wrong secret", Some("wrong")).await;
            }
            Scheme::Sign => self.signs().await,
        }
    }

    async fn tokens(&mut self) {
        let token = self.scheme.credential(&self.request).unwrap_or_default();
        let caller = self.world.domain.tokens.authenticate(&token).await.unwrap();
        let (user, operator) = (caller.user().unwrap(), self.operator(APP).await);

        let expected = self.refused("garbage", Some(WRONG)).await;
        let expired = self.token(APP, user, Some(std::time::Duration::from_secs(1))).await;
        self.pass(2);
        let answer = self.refused("an expired token", Some(&expired)).await;
        self.same("an expired token", &expected, &answer);

        let revoked = self.token(APP, user, None).await;
        self.world.domain.tokens.revoke_all(&operator, user).await.unwrap();
        let answer = self.refused("a revoked token", Some(&revoked)).await;
        self.same("a revoked token", &expected, &answer);

        let disabled = self.token(APP, user, None).await;
        self.world.domain.users.set_disabled(&operator, user, true).await.unwrap();
        self.refused("a disabled user", Some(&disabled)).await;
        self.world.domain.users.set_disabled(&operator, user, false).await.unwrap();

        let (_, foreign) = self.somebody(OTHER, "intruder").await;
        let twin = World::new().await;
        let (_, of_twin) = somebody(&twin, self.dialect, OTHER, "intruder").await;
        let (here, there) =
            (self.scheme.put(&self.request, Some(&foreign)), self.scheme.put(&self.request, Some(&of_twin)));
        if self.dialect == "maxim" {
            // There the request names its app.
            let answer = self.refused_request("another app's token", &here).await;
            self.same("another app's token", &expected, &answer);
        }
        self.another_tenant_in(&twin, here, there).await;
        // All earlier tokens are void.
        let fresh = self.token(APP, user, None).await;
        self.request = self.scheme.put(&self.request, Some(&fresh));
    }

    async fn signs(&mut self) {
        let sign = self.scheme.credential(&self.request).unwrap_or_default();
        let expected = self.refused("garbage", Some(WRONG)).await;
        let later = sign.split_once('.').map(|(_, tag)| format!("99999999999.{tag}")).unwrap_or_default();
        for (who, wrong) in [("a sign that was prolonged", later), ("another app's sign", self.sign("other").await)] {
            let answer = self.refused(who, Some(&wrong)).await;
            self.same(who, &expected, &answer);
        }
        let expires: i64 = sign.split_once('.').and_then(|(expires, _)| expires.parse().ok()).unwrap_or_default();
        self.pass(expires - self.world.clock.now().0 / 1000);
        let answer = self.refused("an expired sign", Some(&sign)).await;
        self.same("an expired sign", &expected, &answer);
        let fresh = self.sign("demo").await;
        self.request = self.scheme.put(&self.request, Some(&fresh));
    }

    async fn sign(&self, app: &str) -> String {
        let secret = if app == "demo" { SECRET } else { OTHER_SECRET };
        let body = serde_json::json!({ "appId": app, "private": secret }).to_string();
        let built = self.world.call("POST", "/v1/build_token", &[], body).await.json();
        let data: Value = serde_json::from_str(built["data"].as_str().unwrap()).unwrap();
        data["sign"].as_str().unwrap().to_owned()
    }

    /// Wrong, expired and revoked are not told apart.
    fn same(&mut self, who: &str, expected: &str, answer: &str) {
        if expected != answer {
            self.wrong.push(format!("{who} is told apart from garbage:\n    {expected}\n    {answer}"));
        }
    }

    // ------------------------------------------------------------ other tenants

    async fn another_tenant(&mut self, here: Filled, there: Filled) {
        self.another_tenant_in(&World::new().await, here, there).await;
    }

    /// Another app's request changes nothing here, and learns no more than in a world where this app has nothing at all.
    async fn another_tenant_in(&mut self, twin: &World, here: Filled, there: Filled) {
        let before = self.rows(APP);
        let (answer, alone) = (here.send(&self.world).await, there.send(twin).await);
        if self.rows(APP) != before {
            self.wrong.push("another app's request changed this one".into());
        }
        if answer.status >= 500 && answer.status != alone.status || shape(&answer) != shape(&alone) {
            self.wrong.push(format!(
                "another app learns something:\n    {} {}\n    alone: {} {}",
                answer.status, answer.text, alone.status, alone.text
            ));
        }
    }

    // ------------------------------------------------------------ what it may do

    async fn lower_than_the_app(&mut self) {
        let (_, token) = self.somebody(APP, "ordinary").await;
        self.refused("an ordinary user", Some(&token)).await;
    }

    async fn group(&self, file: &File, named: &str) -> GroupId {
        let operator = self.operator(APP).await;
        let refs = [Some(GroupRef::Gid(named.to_owned())), named.parse().ok().map(GroupRef::Number)];
        for group in refs.into_iter().flatten() {
            if let Ok(found) = self.world.domain.groups.find(&operator, &group).await {
                return GroupId(found.id);
            }
        }
        panic!("{}: there is no group {named:?}", file.route.path);
    }

    async fn lower_than(&mut self, access: Access, group: GroupId, speaks: bool) {
        let operator = self.operator(APP).await;
        // Whoever acts for another is somebody else's concern.
        self.request.headers.retain(|(name, _)| !["user_id", "group_id"].contains(&name.as_str()));
        let (_, stranger) = self.somebody(APP, "stranger").await;
        self.refused("a stranger", Some(&stranger)).await;

        let (user, former) = self.joined(group, "former").await;
        self.world.domain.groups.remove_members(&operator, group, &[user]).await.unwrap();
        self.refused("a former member", Some(&former)).await;

        if access != Access::Member {
            let (_, member) = self.joined(group, "member").await;
            self.refused("a plain member", Some(&member)).await;
        }
        if access == Access::Owner {
            let (user, admin) = self.joined(group, "admin").await;
            let change = MemberChange { role: Some(Role::Admin), ..MemberChange::default() };
            self.world.domain.groups.update_member(&operator, group, user, change).await.unwrap();
            self.refused("an admin", Some(&admin)).await;
        }
        if speaks {
            let (user, muted) = self.joined(group, "muted").await;
            let change = MemberChange { muted_until: Some(-1), ..MemberChange::default() };
            self.world.domain.groups.update_member(&operator, group, user, change).await.unwrap();
            self.refused("a muted member", Some(&muted)).await;
        }
    }

    async fn joined(&mut self, group: GroupId, uid: &str) -> (UserId, String) {
        let (user, token) = self.somebody(APP, uid).await;
        let operator = self.operator(APP).await;
        let added = self.world.domain.groups.add_members(&operator, group, &[(user, String::new())]).await.unwrap();
        if !matches!(added[..], [(_, Added::Yes)]) {
            self.wrong.push(format!("{uid} cannot be added: {added:?}"));
        }
        (user, token)
    }

    /// The request itself is good.
    async fn control(&mut self) {
        let answer = self.request.send(&self.world).await;
        if form(self.dialect, &answer).is_ok() || answer.status >= 400 {
            self.wrong.push(format!("is refused in the end: {} {}", answer.status, answer.text));
        }
    }
}

async fn somebody(world: &World, dialect: &'static str, app: AppNumber, uid: &str) -> (UserId, String) {
    let operator = world.domain.apps.operator(app).await.unwrap();
    let new = NewUser { uid: Some(uid.to_owned()), ..NewUser::default() };
    let user = UserId(world.domain.users.create(&operator, new).await.unwrap().id);
    let issue = Issue { dialect, platform: 0, lifetime: None, repeatable: false };
    (user, world.domain.tokens.issue(&operator, user, issue).await.unwrap().text)
}

/// What an answer looks like, without what differs from call to call; codes stay.
fn shape(answer: &Answer) -> Value {
    fn of(name: &str, value: &Value) -> Value {
        match value {
            Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), of(name, value))).collect(),
            Value::Array(items) => items.iter().map(|item| of("", item)).collect(),
            Value::String(_) if name != "error" => Value::from(""),
            Value::Number(_) if !["code", "errCode"].contains(&name) => Value::from(0),
            other => other.clone(),
        }
    }

    match serde_json::from_str(&answer.text) {
        Ok(body) => of("", &body),
        Err(_) => Value::from(answer.status),
    }
}
