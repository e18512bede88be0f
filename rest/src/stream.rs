//! Bodies that are read as they come: files on their way in.
//!
//! For routes that say `streams()`. Nothing here limits how long a body is: whoever takes it in does, while it comes.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use domain::files::Piece;
use futures_util::{Stream as Pieces, StreamExt as _, TryStreamExt as _};
use multer::{Constraints, Multipart, SizeLimit};
use parking_lot::Mutex;

use crate::context::Call;
use crate::dialect::{Dialect, Fault};
use crate::input::Input;
use crate::openapi::OperationDoc;

/// Longest value of a form's field that is no file.
const LONGEST_VALUE: u64 = 8 << 10;
/// The field that holds the file, in every dialect.
pub(crate) const FILE: &str = "file";

/// A body that has not been read. Whoever takes it first has it.
#[derive(Debug, Clone, Default)]
pub struct Stream(Arc<Mutex<Option<Body>>>);

impl Stream {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    fn take(&self) -> Result<Body, Fault> {
        self.0.lock().take().ok_or(Fault::Internal)
    }
}

/// A file as the whole body.
#[derive(Debug)]
pub struct Raw(Body);

impl Raw {
    /// The file, piece by piece.
    pub fn pieces(self) -> impl Pieces<Item = Piece> + Send + 'static {
        self.0.into_data_stream().map_err(|_| "broke off".to_owned())
    }
}

impl<D: Dialect> Input<D> for Raw {
    fn read(call: &Call) -> Result<Self, D::Error> {
        Ok(Self(call.stream.take()?))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.file_body();
    }
}

/// An HTML form, of which one field is a file.
#[derive(Debug)]
pub struct Form(Multipart<'static>);

/// One field of a form.
#[derive(Debug)]
pub struct Field(multer::Field<'static>);

impl<D: Dialect> Input<D> for Form {
    fn read(call: &Call) -> Result<Self, D::Error> {
        let content_type = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = content_type.and_then(|value| multer::parse_boundary(value).ok());
        let boundary = boundary.ok_or_else(|| Fault::Malformed("is not multipart/form-data".into()))?;
        let sizes = SizeLimit::new().per_field(LONGEST_VALUE).for_field(FILE, u64::MAX);
        let pieces = call.stream.take()?.into_data_stream();
        Ok(Self(Multipart::with_constraints(pieces, boundary, Constraints::new().size_limit(sizes))))
    }

    fn describe(doc: &mut OperationDoc) {
        doc.form_body();
    }
}

impl Form {
    /// The next field.
    ///
    /// # Errors
    /// If the form is broken.
    pub async fn next(&mut self) -> Result<Option<Field>, Fault> {
        Ok(self.0.next_field().await.map_err(broken)?.map(Field))
    }

    /// The file; fields before it are passed over.
    ///
    /// # Errors
    /// If the form is broken, or has no file.
    pub async fn file(&mut self) -> Result<Field, Fault> {
        while let Some(field) = self.next().await? {
            if field.name() == FILE {
                return Ok(field);
            }
        }
        Err(Fault::missing(FILE))
    }

    /// Reads what follows the file, so that the client sees its answer rather than a closed connection.
    pub async fn finish(mut self) {
        while let Ok(Some(_)) = self.next().await {}
    }
}

impl Field {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name().unwrap_or_default()
    }

    /// What the uploader calls the file.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_owned()
    }

    /// Its value.
    ///
    /// # Errors
    /// If the form is broken, or the value is too long.
    pub async fn text(self) -> Result<String, Fault> {
        self.0.text().await.map_err(broken)
    }

    /// Its value, piece by piece.
    pub fn pieces(self) -> impl Pieces<Item = Piece> + Send + 'static {
        self.0.map(|piece| piece.map_err(|error| error.to_string()))
    }
}

fn broken(error: multer::Error) -> Fault {
    match error {
        multer::Error::FieldSizeExceeded { limit, field_name } => {
            Fault::invalid(field_name.unwrap_or_default(), format!("is longer than {limit} bytes"))
        }
        other => Fault::Malformed(other.to_string()),
    }
}
