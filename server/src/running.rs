//! Where a running server listens, as a file: for whoever started it, and for commands beside it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Addresses of a server that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Absent where the gateway does not run in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<GatewayAddresses>,
    /// Absent where the REST service does not run in this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rest: Option<SocketAddr>,
    /// Where metrics are shown apart from the REST service, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metrics: Option<SocketAddr>,
    /// The process.
    pub(crate) pid: u32,
}

/// Where the gateway listens; a transport that is switched off is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatewayAddresses {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tcp: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) quic: Option<SocketAddr>,
}

impl Running {
    /// What a gateway that runs over this data has written, if it did.
    pub(crate) fn read(config: &Config) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(config.running_file()).ok()?).ok()
    }

    /// Whether the process is still there, and did not leave its file behind when it was killed.
    pub(crate) fn is_alive(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }

    /// Tells the world: into `ready_file` for whoever started this process, and beside the data for commands.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub(crate) fn announce(&self, config: &Config, ready_file: Option<&Path>) -> Result<Announced> {
        let mut files = Vec::new();
        // The REST service alone leaves the gateway's file as it is.
        if self.gateway.is_some() {
            files.push(config.running_file());
        }
        files.extend(ready_file.map(Path::to_owned));
        let text = serde_json::to_string(self).context("addresses")?;
        for file in &files {
            write(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(Announced(files))
    }
}

/// Files that say that a server is ready; they go when it stops.
#[derive(Debug)]
pub(crate) struct Announced(Vec<PathBuf>);

impl Drop for Announced {
    fn drop(&mut self) {
        for file in &self.0 {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Written beside and renamed, so that whoever waits for the file never reads half of it.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, format!("{text}\n"))?;
    std::fs::rename(beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_looks_as_documented() {
        let running = Running {
            gateway: Some(GatewayAddresses {
                tcp: Some(([127, 0, 0, 1], 5100).into()),
                tls: Some(([127, 0, 0, 1], 5101).into()),
                quic: None,
            }),
            rest: Some(([127, 0, 0, 1], 8080).into()),
            metrics: None,
            pid: 1,
        };
        let text = r#"{"gateway":{"tcp":"127.0.0.1:5100","tls":"127.0.0.1:5101"},"rest":"127.0.0.1:8080","pid":1}"#;
        assert_eq!(serde_json::to_string(&running).unwrap(), text);
        assert_eq!(serde_json::from_str::<Running>(text).unwrap(), running);
    }
}
