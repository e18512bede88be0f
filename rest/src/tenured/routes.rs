//! tenured's table: all of its document.

use super::{Access, Shape, Tenured, accounts, tokens};
use crate::route::{POST, Route, on};

/// Every route that is served.
#[must_use]
pub fn routes() -> Vec<Route<Tenured>> {
    vec![
        on(POST, "/v1/build_token", tokens::build)
            .access(Access::Private)
            .shape(Shape::Text)
            .says("Issues a sign", "From `appId` and `private` in the body, JSON or form. `data` is a string that holds JSON."),
        on(POST, "/v1/build_account", accounts::build).says(
            "Creates one account",
            "`appId` and `sign` in the query, the headers or the body. Creating the same account again changes nothing; \
             the same `userId` with other values is an error.",
        ),
        on(POST, "/v1/batch_build_account", accounts::build_batch).says(
            "Creates accounts in bulk",
            "A list of accounts, or an object with the list as `accounts`. All rows are checked before any account is \
             created; the message names the first bad row. Sending the batch again completes one that was cut short.",
        ),
    ]
}
