//! Settings of files.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::units::{ByteSize, duration};

/// Where files lie and how large they may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// Where the bytes lie: a folder, `s3://bucket/path`, `gs://bucket/path`, `az://container/path`, or `memory:` for tests.
    /// Default `<data_dir>/files`.
    pub location: String,
    /// Further settings of that store, by its own names, such as `region` and `endpoint`. Default none.
    ///
    /// Credentials are better set in the environment (`AWS_ACCESS_KEY_ID`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_KEY`, ...).
    pub options: BTreeMap<String, String>,
    /// Largest file. Default 100MiB. A larger one is refused as soon as that is known.
    pub max_size: ByteSize,
    /// Largest picture that stands for a user or a group. Default 5MiB.
    pub max_avatar: ByteSize,
    /// Good for how long a right to upload is. Default 15m.
    #[serde(with = "duration")]
    pub upload_lifetime: Duration,
    /// Good for how long a link to a file's bytes is. Default 15m.
    #[serde(with = "duration")]
    pub link_lifetime: Duration,
    /// How long an upload may stand still. Default 30s; then it is given up.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// Uploads at the same time; more are told to come back. Default 64. Worst case in memory: 15 MiB for each.
    pub uploads: usize,
    /// Pictures that are made smaller at the same time. Default 2. Worst case: `picture_memory` and one core for each.
    pub pictures: usize,
    /// Pictures that wait for that; more are told to come back. Default 64.
    pub picture_queue: usize,
    /// Memory that reading one picture may take. Default 128MiB. A picture that needs more has no smaller form.
    pub picture_memory: ByteSize,
    /// Largest file that is read as a picture. Default 20MiB.
    pub picture_source: ByteSize,
    /// Longer side of a thumbnail, in pixels. Default 240.
    pub thumbnail_side: u32,
    /// Longer side of a cover, in pixels. Default 960.
    pub cover_side: u32,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            location: "data/files".into(),
            options: BTreeMap::new(),
            max_size: ByteSize::mib(100),
            max_avatar: ByteSize::mib(5),
            upload_lifetime: Duration::from_secs(15 * 60),
            link_lifetime: Duration::from_secs(15 * 60),
            idle_timeout: Duration::from_secs(30),
            uploads: 64,
            pictures: 2,
            picture_queue: 64,
            picture_memory: ByteSize::mib(128),
            picture_source: ByteSize::mib(20),
            thumbnail_side: 240,
            cover_side: 960,
        }
    }
}
