//! Taking a file in, under a right to upload.

use domain::record;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Reply;
use crate::context::Anonymous;
use crate::dialect::Fault;
use crate::input::Path;
use crate::stream::{FILE, Field, Form};

/// Most fields before the file.
const MOST_FIELDS: usize = 32;

/// Whose file.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct AppPath {
    /// The app's number.
    #[serde(rename = "app")]
    _app: String,
}

/// What was taken in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Uploaded {
    /// Bytes.
    size: u64,
    /// The content type, as the first bytes tell.
    #[serde(rename = "type")]
    mime: String,
}

/// `POST /media/{app}`: takes a file in.
pub(super) async fn upload(cx: Anonymous, (_, mut form): (Path<AppPath>, Form)) -> Reply<Uploaded> {
    let (ticket, file) = until_file(&mut form).await?;
    let name = file.file_name();
    let record::File { size, mime, .. } = cx.domain.files.upload(&cx.nobody, &ticket, &name, file.pieces()).await?;
    form.finish().await;
    Ok(Uploaded { size, mime })
}

/// The fields before the file tell the right to upload, in the two parts that object stores call policy and signature.
async fn until_file(form: &mut Form) -> Result<(String, Field), Fault> {
    let (mut policy, mut signature) = (String::new(), String::new());
    for _ in 0..MOST_FIELDS {
        let Some(field) = form.next().await? else { return Err(Fault::missing(FILE)) };
        match field.name() {
            FILE => return Ok((format!("{policy}.{signature}"), field)),
            "policy" => policy = field.text().await?,
            "signature" => signature = field.text().await?,
            _ => {}
        }
    }
    Err(Fault::invalid(FILE, "comes after too many other fields"))
}
