//! Pages of lists, as this dialect asks for them and answers them.

use domain::Page;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Error;
use crate::{cursor, lenient};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct PageQuery {
    /// `cursor` of the page before; empty or absent for the first.
    #[serde(default)]
    cursor: Option<String>,
    /// Most rows of a page.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    limit: Option<u64>,
    /// Taken and not used, as in the original.
    #[serde(default, deserialize_with = "lenient::opt_u64")]
    #[expect(dead_code, reason = "a field that clients send, described for them")]
    version: Option<u64>,
}

/// A page. Goes beside `code`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Paged<T: ToSchema> {
    // Where it is used: a generic one would be named after rows that nobody keeps the schema of.
    #[schema(inline)]
    data: Vec<T>,
    /// Where the next page starts; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Rows on all pages, counted up to a thousand; absent where they are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    /// Not used, as in the original.
    version: u8,
}

impl PageQuery {
    /// Where the page starts.
    pub(super) fn cursor(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(cursor::read(self.cursor.as_deref())?)
    }

    /// How long it may be; `usual` where nothing else is asked for.
    pub(super) fn limit(&self, usual: usize) -> usize {
        self.limit.map_or(usual, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
    }
}

impl<T: ToSchema> Paged<T> {
    /// A page of `total` rows.
    pub(super) fn of<R>(page: Page<R>, total: usize, show: impl FnMut(R) -> T) -> Self {
        Self { total: Some(total), ..Self::uncounted(page, show) }
    }

    /// A page of rows that nobody counts.
    pub(super) fn uncounted<R>(page: Page<R>, show: impl FnMut(R) -> T) -> Self {
        let cursor = cursor::spell(page.next);
        Self { data: page.items.into_iter().map(show).collect(), cursor, total: None, version: 0 }
    }
}
