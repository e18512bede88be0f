//! What many processes share: the Redis Cluster, and the place of files.

use storage::{Clock, RedisCheck, Severity};

use super::{Finding, Verdict, bad};
use crate::config::Config;

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let settings = &config.store.redis;
    let runtime = match crate::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return vec![bad("redis", format!("{error:#}"))],
    };
    let check = runtime.block_on(RedisCheck::run(settings, &Clock::system()));
    let mut findings = Vec::new();
    for server in check.servers {
        findings.push(Finding { what: "redis", verdict: Verdict::Good, text: server });
    }
    for finding in check.findings {
        let accepted = settings.accept.contains(&finding.point);
        let (verdict, note) = match (finding.severity, accepted) {
            (Severity::Refusal, false) => (Verdict::Bad, ""),
            (Severity::Refusal, true) => (Verdict::Doubtful, " (accepted)"),
            (Severity::Warning, _) => (Verdict::Doubtful, ""),
        };
        findings.push(Finding { what: "redis", verdict, text: format!("{finding}{note}") });
    }
    findings.push(bus(config));
    findings.push(files(config));
    findings
}

fn bus(config: &Config) -> Finding {
    let text = if config.bus.redis.url == config.store.redis.url {
        "in the store's cluster".to_owned()
    } else {
        format!("at {:?}, which is not looked at here", config.bus.redis.url)
    };
    Finding { what: "bus", verdict: Verdict::Good, text }
}

/// What one process takes, all have to find.
fn files(config: &Config) -> Finding {
    let location = &config.domain.files.location;
    let (verdict, advice) = if location.contains("://") {
        (Verdict::Good, "")
    } else if location.starts_with("memory:") {
        (Verdict::Bad, ": other processes do not see it; set domain.files.location to an object store")
    } else {
        (
            Verdict::Doubtful,
            ": a folder, which all processes have to share; on many machines, set domain.files.location to an object store",
        )
    };
    Finding { what: "files", verdict, text: format!("{location}{advice}") }
}
