//! The dialects that are served, and their routes without their types.

use serde_json::Value;

use crate::dialect::Dialect;
use crate::route::{Endpoint, Route};

/// One dialect's table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub dialect: &'static str,
    /// Its routes, in the order of its document.
    pub endpoints: Vec<Endpoint>,
    pub(crate) about: &'static str,
    pub(crate) error_schema: Value,
    pub(crate) error_statuses: &'static [(u16, &'static str)],
    pub(crate) schemes: Vec<(&'static str, Value)>,
    pub(crate) parameters: Vec<Value>,
}

/// Every dialect's table.
#[must_use]
pub fn tables() -> Vec<Table> {
    vec![
        table(crate::tenured::routes()),
        table(crate::openim::routes()),
        table(crate::gobelieve::routes()),
        table(crate::tim::routes()),
        table(crate::maxim::routes()),
        table(crate::media::routes()),
    ]
}

fn table<D: Dialect>(routes: Vec<Route<D>>) -> Table {
    Table {
        dialect: D::NAME,
        endpoints: routes.into_iter().map(Route::erase).collect(),
        about: D::ABOUT,
        error_schema: D::error_schema(),
        error_statuses: D::error_statuses(),
        schemes: D::schemes(),
        parameters: D::parameters(),
    }
}
