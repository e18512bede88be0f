//! Files: whoever has a token uploads, and whoever knows a file's name reads it, for ever.
//!
//! That is how the original does it: its clients put the URL into a message, and load it without a credential.

use domain::record::FileKind;
use serde::Serialize;
use utoipa::ToSchema;

use super::Reply;
use crate::context::{Cx, base_url};
use crate::dialect::Fault;
use crate::media;
use crate::stream::{Form, Raw};

/// Where the file is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Source {
    /// Its path.
    src: String,
    /// Its URL.
    src_url: String,
}

/// `POST /images`: a picture as the body.
pub(super) async fn image(cx: Cx, body: Raw) -> Reply<Source> {
    take(&cx, "images", FileKind::Image, "", body.pieces()).await
}

/// `POST /audios`: a voice as the body.
pub(super) async fn audio(cx: Cx, body: Raw) -> Reply<Source> {
    take(&cx, "audios", FileKind::Voice, "", body.pieces()).await
}

/// `POST /files`: any file as the body.
pub(super) async fn file(cx: Cx, body: Raw) -> Reply<Source> {
    take(&cx, "files", FileKind::Any, "", body.pieces()).await
}

/// `POST /v2/images`: a picture as the form's field `file`.
pub(super) async fn image_in_form(cx: Cx, form: Form) -> Reply<Source> {
    take_form(&cx, "images", FileKind::Image, form).await
}

/// `POST /v2/audios`: a voice as the form's field `file`.
pub(super) async fn audio_in_form(cx: Cx, form: Form) -> Reply<Source> {
    take_form(&cx, "audios", FileKind::Voice, form).await
}

/// `POST /v2/files`: any file as the form's field `file`.
pub(super) async fn file_in_form(cx: Cx, form: Form) -> Reply<Source> {
    take_form(&cx, "files", FileKind::Any, form).await
}

async fn take_form(cx: &Cx, folder: &str, kind: FileKind, mut form: Form) -> Reply<Source> {
    let file = form.file().await?;
    let name = file.file_name();
    let source = take(cx, folder, kind, &name, file.pieces()).await?;
    form.finish().await;
    Ok(source)
}

async fn take(
    cx: &Cx,
    folder: &str,
    kind: FileKind,
    name: &str,
    pieces: impl futures_util::Stream<Item = domain::files::Piece> + Send,
) -> Reply<Source> {
    let file = cx.domain.files.upload_open(&cx.caller, kind, name, pieces).await?;
    let name = media::name_of(cx.caller.app(), &file).ok_or(Fault::Internal)?;
    let src = format!("/{folder}/{name}");
    let src_url = format!("{}{src}", base_url(&cx.config, &cx.call));
    Ok(Source { src, src_url })
}
