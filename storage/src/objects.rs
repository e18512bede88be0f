//! Object stores, by where they are: a bucket of a cloud, a folder, or memory.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;

/// Opens what is at a location: `s3://bucket/path`, `gs://`, `az://`, a folder, or `memory:` for one that forgets.
///
/// Options are those of the store, by name, and win over the environment.
///
/// # Errors
/// What is wrong with the location or the options. That a store can be reached is not tried.
pub async fn open(location: &str, options: &[(String, String)]) -> object_store::Result<Arc<dyn ObjectStore>> {
    if location == "memory:" {
        return Ok(Arc::new(InMemory::new()));
    }
    if !location.contains("://") {
        let folder = PathBuf::from(location);
        let made = tokio::fs::create_dir_all(&folder).await;
        made.map_err(|source| object_store::Error::Generic { store: "folder", source: Box::new(source) })?;
        // An object must not be lost of which something says that it is there.
        return Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true)));
    }
    let url =
        location.parse().map_err(|source| object_store::Error::Generic { store: "URL", source: Box::new(source) })?;
    let environment = std::env::vars().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let (store, prefix) = object_store::parse_url_opts(&url, environment.chain(options.iter().cloned()))?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_kind_of_store_can_be_configured() {
        for (location, options) in [
            ("memory:", vec![]),
            (
                "s3://bucket/path",
                vec![("aws_region", "eu-central-1"), ("aws_access_key_id", "a"), ("aws_secret_access_key", "b")],
            ),
            ("gs://bucket/path", vec![("google_skip_signature", "true")]),
            ("az://container/path", vec![("azure_storage_account_name", "account"), ("azure_skip_signature", "true")]),
        ] {
            let options: Vec<_> =
                options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let opened = open(location, &options).await;
            assert!(opened.is_ok(), "{location}: {:?}", opened.err());
        }
        for wrong in ["ftp://host/path", "s3://"] {
            assert!(open(wrong, &[]).await.is_err(), "{wrong}");
        }
    }
}
