//! Where a request's credential stands, and how another is put there.

use serde_json::Value;

use crate::golden::replay::Filled;

/// No token, no sign and no secret of anybody's.
pub(super) const WRONG: &str = "0000000000000000000000000000000000000000000";

/// How a request proves who sends it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scheme {
    /// A user's token in a header.
    Token { header: &'static str, prefix: &'static str },
    /// gobelieve's servers.
    Basic,
    /// The app's secret, in a field of the body.
    Secret { field: &'static str },
    /// tenured's `sign`.
    Sign,
}

impl Scheme {
    pub(super) fn of(dialect: &str, request: &Filled) -> Option<Self> {
        let header =
            |name: &str| request.headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str());
        let field = |name: &str| request.body.as_ref().is_some_and(|body| body.get(name).is_some());
        match dialect {
            "maxim" => header("access-token").map(|_| Self::Token { header: "access-token", prefix: "" }),
            "tim" => header("token").map(|_| Self::Token { header: "token", prefix: "" }),
            "openim" if header("token").is_some() => Some(Self::Token { header: "token", prefix: "" }),
            "openim" => field("secret").then_some(Self::Secret { field: "secret" }),
            "gobelieve" if header("authorization").is_some_and(|value| value.starts_with("Basic ")) => {
                Some(Self::Basic)
            }
            "gobelieve" => header("authorization").map(|_| Self::Token { header: "authorization", prefix: "Bearer " }),
            "tenured" if field("private") => Some(Self::Secret { field: "private" }),
            "tenured" => Some(Self::Sign),
            "media" => None,
            other => panic!("no such dialect: {other}"),
        }
    }

    /// The credential that a request shows.
    pub(super) fn credential(self, request: &Filled) -> Option<String> {
        let header = |name: &str| request.headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.clone());
        match self {
            Self::Token { header: name, prefix } => header(name)?.strip_prefix(prefix).map(str::to_owned),
            Self::Basic => header("authorization")?.strip_prefix("Basic ").map(str::to_owned),
            Self::Secret { field } => request.body.as_ref()?.get(field)?.as_str().map(str::to_owned),
            Self::Sign => query(&request.path).into_iter().find(|(name, _)| name == "sign").map(|(_, value)| value),
        }
    }

    /// The request with another credential, or with none.
    pub(super) fn put(self, request: &Filled, credential: Option<&str>) -> Filled {
        let mut request = request.clone();
        let (name, prefix) = match self {
            Self::Token { header, prefix } => (header, prefix),
            Self::Basic => ("authorization", "Basic "),
            Self::Secret { field } => {
                let body = request.body.as_mut().and_then(Value::as_object_mut).expect("a credential stands in it");
                match credential {
                    Some(credential) => body.insert(field.to_owned(), credential.into()),
                    None => body.remove(field),
                };
                return request;
            }
            Self::Sign => {
                let mut pairs = query(&request.path);
                pairs.retain(|(name, _)| name != "sign");
                pairs.extend(credential.map(|credential| ("sign".to_owned(), credential.to_owned())));
                let path = request.path.split('?').next().unwrap_or_default();
                let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                request.path = format!("{path}?{encoded}");
                return request;
            }
        };
        request.headers.retain(|(each, _)| each != name);
        request.headers.extend(credential.map(|credential| (name.to_owned(), format!("{prefix}{credential}"))));
        request
    }
}

fn query(path: &str) -> Vec<(String, String)> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
