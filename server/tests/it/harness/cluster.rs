//! Many machines on one: a Redis Cluster of the test's own, and processes of the binary over it, each in a folder of its own.

use std::process::ExitStatus;

use linnet_sdk::{Network, Trust};
use storage::testing::RedisCluster;

use super::{Role, Server, Site};

/// Redis nodes, and where commands are run beside them.
pub(crate) struct Cluster {
    pub(crate) redis: RedisCluster,
    /// A machine on which no server runs.
    pub(crate) desk: Site,
    common: String,
}

/// A process, and the machine that it runs on.
pub(crate) struct Node {
    pub(crate) site: Site,
    pub(crate) server: Server,
}

impl Cluster {
    /// Three masters with a replica each, and no process of ours.
    pub(crate) fn start() -> Self {
        Self::over(RedisCluster::start(3, 1), "")
    }

    /// No process of ours yet. `settings` are more lines of `[store.redis]`.
    pub(crate) fn over(redis: RedisCluster, settings: &str) -> Self {
        let desk = Site::new();
        // One certificate for all gateways, as a real installation has.
        let tls = desk.path().join("data/tls");
        let common = format!(
            "[store]\nengine = \"redis\"\n[store.redis]\nurl = \"{}\"\n{settings}\n\
             [domain.files]\nlocation = \"{}\"\n[gateway]\nreconnect_spread = \"200ms\"\n",
            redis.url(),
            desk.path().join("files").display(),
        );
        std::fs::write(desk.path().join("linnet.toml"), &common).expect("a file");
        let pair = |key: &str, name: &str| format!("{key} = \"{}\"\n", tls.join(name).display());
        let shared = format!("[tls]\n{}{}", pair("certificate", "certificate.pem"), pair("key", "key.pem"));
        let cluster = Self { redis, desk, common: common + &shared };
        make_certificate(&tls);
        cluster
    }

    /// Starts processes of a role, all at the same time.
    pub(crate) fn nodes(&self, role: Role, count: usize) -> Vec<Node> {
        std::thread::scope(|scope| {
            let started: Vec<_> = (0..count).map(|_| scope.spawn(|| self.node(role))).collect();
            started.into_iter().map(|node| node.join().expect("it starts")).collect()
        })
    }

    /// Starts one process.
    pub(crate) fn node(&self, role: Role) -> Node {
        let site = Site::new();
        std::fs::write(site.path().join("linnet.toml"), &self.common).expect("a file");
        let server = site.start_with(role, &["--set", "metrics.listen=127.0.0.1:0"]);
        Node { site, server }
    }

    /// What devices believe: the gateways' certificate.
    pub(crate) fn network(&self) -> Network {
        Network::new(&Trust::Authorities(self.desk.certificate())).expect("the gateways' certificate")
    }
}

impl Node {
    /// SIGTERM, and the same again on the same ports.
    pub(crate) fn restart(&mut self) -> ExitStatus {
        self.server.terminate_and_restart(&self.site, &["--set", "metrics.listen=127.0.0.1:0"])
    }

    /// `kill -9`, and the same again on the same ports.
    pub(crate) fn kill_and_restart(&mut self) {
        self.server.kill_and_restart(&self.site, &["--set", "metrics.listen=127.0.0.1:0"]);
    }

    /// What it shows of a metric, over all its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let url = self.server.ready.metrics.map(|address| format!("http://{address}")).expect("metrics are shown");
        let text = super::http::AppServer::new(url).get("/metrics", &[]).text;
        let lines =
            text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

fn make_certificate(folder: &std::path::Path) {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).expect("a file");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
}
