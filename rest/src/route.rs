//! Routes: one line each in a dialect's table.
//!
//! ```text
//! pub fn routes() -> Vec<Route<Maxim>> {
//!     vec![
//!         on(POST | PUT, "/roster/accept", roster::accept).says("Accepts a friend request", ""),
//!         public(POST, "/token/user", tokens::by_name).says("Logs in by name", ""),
//!     ]
//! }
//! ```
//! A handler is `async fn(Cx, Input) -> Result<Output, Dialect's Error>`. All are boxed into one shape, so the router is compiled once.

use std::future::Future;
use std::sync::Arc;

use axum::http::Method;
use axum::response::Response;
use domain::{Clock, Domain};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::config::Config;
use crate::context::{Anonymous, Call, Cx};
use crate::dialect::{Dialect, Fault};
use crate::input::Input;
use crate::openapi::{Components, OperationDoc, file_of, noun_of};

/// A set of HTTP methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Methods(u8);

/// `GET`; `HEAD` comes with it.
pub const GET: Methods = Methods(1);
/// `POST`.
pub const POST: Methods = Methods(2);
/// `PUT`.
pub const PUT: Methods = Methods(4);
/// `PATCH`.
pub const PATCH: Methods = Methods(8);
/// `DELETE`.
pub const DELETE: Methods = Methods(16);

const NAMES: [(Methods, Method); 5] =
    [(GET, Method::GET), (POST, Method::POST), (PUT, Method::PUT), (PATCH, Method::PATCH), (DELETE, Method::DELETE)];

impl std::ops::BitOr for Methods {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Methods {
    /// Whether this one is among them.
    #[must_use]
    pub fn contains(self, method: &Method) -> bool {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.each().any(|each| each == *method)
    }

    /// Each of them.
    pub fn each(self) -> impl Iterator<Item = Method> {
        NAMES.into_iter().filter(move |(bit, _)| self.0 & bit.0 != 0).map(|(_, method)| method)
    }
}

/// What handlers are made from.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) domain: Domain,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
}

type Typed<D> = dyn Fn(Arc<State>, Call, <D as Dialect>::Access, <D as Dialect>::Shape) -> BoxFuture<'static, Response>
    + Send
    + Sync;
type Erased = dyn Fn(Arc<State>, Call) -> BoxFuture<'static, Response> + Send + Sync;

/// One line of a dialect's table.
pub struct Route<D: Dialect> {
    methods: Methods,
    path: &'static str,
    access: Option<D::Access>,
    shape: D::Shape,
    summary: &'static str,
    description: &'static str,
    cors: bool,
    streams: bool,
    answers: &'static [RawAnswer],
    /// Where the handler is: `rest::maxim::groups::create`.
    module: &'static str,
    handler: Arc<Typed<D>>,
    input: fn(&mut OperationDoc),
    output: fn(&mut Components) -> Value,
}

/// A route whose caller is authenticated before the handler runs.
pub fn on<D, I, O, F, Fut>(methods: Methods, path: &'static str, handler: F) -> Route<D>
where
    D: Dialect,
    I: Input<D>,
    O: Serialize + ToSchema + Send + Sync + 'static,
    F: Fn(Cx, I) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<O, D::Error>> + Send + 'static,
{
    let typed =
        move |state: Arc<State>, call: Call, access: D::Access, shape: D::Shape| -> BoxFuture<'static, Response> {
            Box::pin(async move {
                finish::<D, O>(shape, answer_call::<D, I, O, F, Fut>(&state, call, access, handler).await)
            })
        };
    let module = std::any::type_name::<F>();
    Route { module, ..Route::new::<I, O>(methods, path, Some(D::Access::default()), Arc::new(typed)) }
}

/// A route that anyone may call.
pub fn public<D, I, O, F, Fut>(methods: Methods, path: &'static str, handler: F) -> Route<D>
where
    D: Dialect,
    I: Input<D>,
    O: Serialize + ToSchema + Send + Sync + 'static,
    F: Fn(Anonymous, I) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<O, D::Error>> + Send + 'static,
{
    let typed = move |state: Arc<State>, call: Call, _: D::Access, shape: D::Shape| -> BoxFuture<'static, Response> {
        Box::pin(async move { finish::<D, O>(shape, answer_public::<D, I, O, F, Fut>(&state, call, handler).await) })
    };
    let module = std::any::type_name::<F>();
    Route { module, ..Route::new::<I, O>(methods, path, None, Arc::new(typed)) }
}

/// As [`on`], for a handler that makes the whole answer itself: bytes, or a way elsewhere. `answers` are its statuses other than errors.
pub fn raw<D, I, F, Fut>(methods: Methods, path: &'static str, answers: &'static [RawAnswer], handler: F) -> Route<D>
where
    D: Dialect,
    I: Input<D>,
    F: Fn(Cx, I) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, D::Error>> + Send + 'static,
{
    let typed = move |state: Arc<State>, call: Call, access: D::Access, _: D::Shape| -> BoxFuture<'static, Response> {
        Box::pin(async move {
            answer_call::<D, I, Response, F, Fut>(&state, call, access, handler).await.unwrap_or_else(refuse::<D>)
        })
    };
    let module = std::any::type_name::<F>();
    Route { module, answers, ..Route::new::<I, ()>(methods, path, Some(D::Access::default()), Arc::new(typed)) }
}

/// As [`raw`], for anyone.
pub fn raw_public<D, I, F, Fut>(
    methods: Methods,
    path: &'static str,
    answers: &'static [RawAnswer],
    handler: F,
) -> Route<D>
where
    D: Dialect,
    I: Input<D>,
    F: Fn(Anonymous, I) -> Fut + Copy + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, D::Error>> + Send + 'static,
{
    let typed = move |state: Arc<State>, call: Call, _: D::Access, _: D::Shape| -> BoxFuture<'static, Response> {
        Box::pin(async move {
            answer_public::<D, I, Response, F, Fut>(&state, call, handler).await.unwrap_or_else(refuse::<D>)
        })
    };
    let module = std::any::type_name::<F>();
    Route { module, answers, ..Route::new::<I, ()>(methods, path, None, Arc::new(typed)) }
}

/// An answer that a handler makes itself.
#[derive(Debug, Clone, Copy)]
pub struct RawAnswer {
    /// Its status.
    pub status: u16,
    /// What it means.
    pub meaning: &'static str,
    /// What its body is; none where it has none.
    pub content_type: Option<&'static str>,
}

async fn answer_call<D, I, O, F, Fut>(state: &State, call: Call, access: D::Access, handler: F) -> Result<O, D::Error>
where
    D: Dialect,
    I: Input<D>,
    F: Fn(Cx, I) -> Fut,
    Fut: Future<Output = Result<O, D::Error>>,
{
    let caller = D::authenticate(&state.domain, &state.config, &call, access).await?;
    let input = I::read(&call)?;
    let cx = Cx {
        domain: state.domain.clone(),
        caller,
        config: Arc::clone(&state.config),
        clock: state.clock.clone(),
        call,
    };
    handler(cx, input).await
}

async fn answer_public<D, I, O, F, Fut>(state: &State, call: Call, handler: F) -> Result<O, D::Error>
where
    D: Dialect,
    I: Input<D>,
    F: Fn(Anonymous, I) -> Fut,
    Fut: Future<Output = Result<O, D::Error>>,
{
    let nobody = D::nobody(&state.domain, &state.config, &call).await?;
    let input = I::read(&call)?;
    let cx = Anonymous {
        domain: state.domain.clone(),
        nobody,
        config: Arc::clone(&state.config),
        clock: state.clock.clone(),
        call,
    };
    handler(cx, input).await
}

fn finish<D: Dialect, O: Serialize>(shape: D::Shape, result: Result<O, D::Error>) -> Response {
    match result {
        Ok(value) => D::ok(shape, &value),
        Err(error) => refuse::<D>(error),
    }
}

fn refuse<D: Dialect>(error: D::Error) -> Response {
    match D::cause(&error) {
        Some(domain::Error::Unavailable(cause)) => {
            tracing::warn!(dialect = D::NAME, %cause, "the store is unavailable")
        }
        Some(domain::Error::Full) => tracing::warn!(dialect = D::NAME, "the disk is full"),
        _ => {}
    }
    D::error(error)
}

impl<D: Dialect> Route<D> {
    fn new<I: Input<D>, O: ToSchema>(
        methods: Methods,
        path: &'static str,
        access: Option<D::Access>,
        handler: Arc<Typed<D>>,
    ) -> Self {
        Self {
            methods,
            path,
            access,
            shape: D::Shape::default(),
            summary: "",
            description: "",
            cors: false,
            streams: false,
            answers: &[],
            module: "",
            handler,
            input: I::describe,
            output: Components::schema_of::<O>,
        }
    }

    /// What the OpenAPI document says: one line, and whatever else a caller should know.
    #[must_use]
    pub fn says(mut self, summary: &'static str, description: &'static str) -> Self {
        (self.summary, self.description) = (summary, description);
        self
    }

    /// Asks for another credential than the dialect's usual one.
    #[must_use]
    pub fn access(mut self, access: D::Access) -> Self {
        self.access = Some(access);
        self
    }

    /// Answers in another envelope than the dialect's usual one.
    #[must_use]
    pub fn shape(mut self, shape: D::Shape) -> Self {
        self.shape = shape;
        self
    }

    /// Lets browsers of any origin call it.
    #[must_use]
    pub fn cors(mut self) -> Self {
        self.cors = true;
        self
    }

    /// Leaves the body for the handler to read as it comes, in the time that uploads have, however long it is.
    #[must_use]
    pub fn streams(mut self) -> Self {
        self.streams = true;
        self
    }

    /// Forgets the dialect's type, so that one router serves them all.
    pub(crate) fn erase(self) -> Endpoint {
        let Self {
            methods,
            path,
            access,
            shape,
            summary,
            description,
            cors,
            streams,
            answers,
            module,
            handler,
            input,
            output,
        } = self;
        Endpoint {
            dialect: D::NAME,
            methods,
            path,
            public: access.is_none(),
            file: file_of(module),
            noun: noun_of(module),
            scheme: access.and_then(D::scheme_of),
            summary,
            description,
            cors,
            streams,
            answers,
            handler: Arc::new(move |state, call| handler(state, call, access.unwrap_or_default(), shape)),
            refuse: |fault| D::error(D::Error::from(fault)),
            preflight: D::preflight,
            input,
            reply: Arc::new(move |components| D::envelope(shape, output(components))),
        }
    }
}

/// A route of any dialect.
pub struct Endpoint {
    /// Whose it is.
    pub dialect: &'static str,
    /// The methods it answers.
    pub methods: Methods,
    /// Its path, with `{names}`.
    pub path: &'static str,
    /// Whether anyone may call it.
    pub public: bool,
    /// What it is about, as the code names it.
    pub noun: &'static str,
    /// The file of its handler.
    pub(crate) file: &'static str,
    pub(crate) scheme: Option<&'static str>,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) cors: bool,
    pub(crate) streams: bool,
    pub(crate) answers: &'static [RawAnswer],
    pub(crate) handler: Arc<Erased>,
    pub(crate) refuse: fn(Fault) -> Response,
    pub(crate) preflight: fn() -> Response,
    pub(crate) input: fn(&mut OperationDoc),
    pub(crate) reply: Arc<dyn Fn(&mut Components) -> Value + Send + Sync>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {:?} {}", self.dialect, self.methods, self.path)
    }
}
