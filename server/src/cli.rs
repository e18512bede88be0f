//! The command line: what can be asked of the binary, and nothing of how it is done.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::migrate::Place;

/// An instant-messaging backend in one binary.
///
/// `linnet serve` starts everything over ./data and needs no other service.
/// The other commands work beside a running server, or on its data while none runs.
#[derive(Debug, Parser)]
#[command(name = "linnet", version, propagate_version = true, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Where settings come from. Later ones win: the file, the environment (`LINNET__GATEWAY__TCP__LISTEN`), these flags.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file; ./linnet.toml when there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of everything that the server keeps.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Sets one key, as `gateway.tcp.listen=0.0.0.0:5100`. May be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the gateway and the REST service in one process, over an embedded store.
    Serve(ServeArgs),
    /// Start the gateway alone: it owns the store and shares it over a Unix socket.
    Gateway(GatewayArgs),
    /// Start the REST service alone, over the store of a gateway on this machine.
    Rest(RestArgs),
    /// Chat in the terminal as one user.
    Chat(ChatArgs),
    /// Manage apps: the tenants, each with its own users and credentials.
    #[command(subcommand)]
    App(AppCommand),
    /// Manage an app's users.
    #[command(subcommand)]
    User(UserCommand),
    /// Manage the push providers over which an app reaches phones.
    #[command(subcommand)]
    Push(PushCommand),
    /// Check this machine and this configuration; exits with 1 if the server would not run well.
    Doctor,
    /// Show or check the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a consistent copy of the store into a new folder, while the server runs or not.
    Backup {
        /// Folder to create.
        directory: PathBuf,
    },
    /// Put a backup in the place of the store; the server must not run.
    Restore {
        /// Folder that `linnet backup` wrote.
        directory: PathBuf,
        /// Replace a store that exists; it is kept beside the new one, under a name that is printed.
        #[arg(long)]
        replace: bool,
    },
    /// Move a store into another engine or another place, or compare two. No server may use either.
    Migrate(MigrateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// What to read: `rocksdb:DIR`, or `redis://host:6379,host2:6379` (a cluster; other settings are those of `store.redis`).
    #[arg(long, value_name = "STORE")]
    pub(crate) from: Place,
    /// What to write, written in the same way.
    #[arg(long, value_name = "STORE")]
    pub(crate) to: Place,
    /// Write only what has changed in --from since this copy of it, which --to has already: for a move with little downtime.
    #[arg(long, value_name = "STORE", conflicts_with = "verify")]
    pub(crate) since: Option<Place>,
    /// Compare both instead of copying, row by row; exits with 1 if they differ.
    #[arg(long)]
    pub(crate) verify: bool,
    /// Write into a store that holds something already. Rows that only it has stay.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Where it is noted how far the copy has come, so that it can go on after an interruption.
    #[arg(long, value_name = "FILE", default_value = "linnet-migrate.json")]
    pub(crate) progress: PathBuf,
}

#[derive(Debug, Default, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) gateway: GatewayArgs,
    /// Address of the REST service; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) rest: Option<SocketAddr>,
}

#[derive(Debug, Default, Args)]
pub(crate) struct GatewayArgs {
    /// Address for plain TCP; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) tcp: Option<SocketAddr>,
    /// Address for TLS.
    #[arg(long, value_name = "ADDR")]
    pub(crate) tls: Option<SocketAddr>,
    /// Address for QUIC (UDP).
    #[arg(long, value_name = "ADDR")]
    pub(crate) quic: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) ready: ReadyArgs,
}

#[derive(Debug, Default, Args)]
pub(crate) struct RestArgs {
    /// Address of the REST service; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    pub(crate) rest: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) ready: ReadyArgs,
}

#[derive(Debug, Default, Args)]
pub(crate) struct ReadyArgs {
    /// Written once all addresses listen: the addresses and the process id, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    /// Who chats: the app's own id of the user, who is created if there is none.
    #[arg(long, value_name = "UID")]
    pub(crate) user: String,
    /// Chat with this user, who is created if there is none.
    #[arg(long, value_name = "UID", conflicts_with = "group")]
    pub(crate) to: Option<String>,
    /// Chat in this group, which is created if there is none, and joined.
    #[arg(long, value_name = "GID")]
    pub(crate) group: Option<String>,
    /// How to connect; `auto` races QUIC against TLS.
    #[arg(long, value_enum, default_value_t = TransportArg::Auto)]
    pub(crate) transport: TransportArg,
    /// The app that the user belongs to.
    #[arg(long, default_value = "demo")]
    pub(crate) app: String,
    /// A token of the user's; without one, it is issued through the store of the server on this machine.
    #[arg(long, value_name = "TOKEN", env = "LINNET_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Name of this device; another one chats beside the first instead of replacing it.
    #[arg(long, value_name = "NAME", default_value = "terminal")]
    pub(crate) device: String,
    /// Messages to show on start.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) history: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportArg {
    /// Plain TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// QUIC over UDP.
    Quic,
    /// Whichever of QUIC and TLS connects first.
    Auto,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Create an app; prints its key and secret, once. What is left out is generated.
    Create {
        /// Id that app servers use; unique.
        #[arg(long)]
        id: Option<String>,
        /// Number that gobelieve calls `appid`; unique.
        #[arg(long)]
        number: Option<u32>,
        /// Public key.
        #[arg(long)]
        key: Option<String>,
        /// Secret of the app's servers.
        #[arg(long)]
        secret: Option<String>,
        /// Ids of users who may act for the app.
        #[arg(long = "admin", value_name = "UID", num_args = 1..)]
        admins: Vec<String>,
        /// 1:1 messages pass between friends only.
        #[arg(long)]
        friends_only: bool,
        /// Nobody registers themselves: the app's server makes its users.
        #[arg(long)]
        registration_closed: bool,
    },
    /// Change an app's settings; what is left out stays. A running server follows within a second.
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Set {
        id: String,
        /// Whether 1:1 messages pass between friends only.
        #[arg(long, value_name = "BOOL", group = "change")]
        friends_only: Option<bool>,
        /// Whether people may register themselves; if not, the app's server makes its users.
        #[arg(long, value_name = "BOOL", group = "change")]
        registration_open: Option<bool>,
        /// How long messages are kept, as `90d`; `0s` for ever. Holds for messages sent from now on.
        #[arg(long, value_name = "SPAN", group = "change")]
        retention: Option<String>,
    },
    /// List all apps.
    List,
    /// Show one app.
    Show { id: String },
    /// Ask an app's own server before messages are sent, or tell it after; without a URL, show what is set.
    Webhook(WebhookArgs),
    /// Limit how many messages each user may send; without a number, show the limit.
    Limit(LimitArgs),
    /// Give an app a new key and secret; the old ones stop working within a second.
    Rotate { id: String },
    /// Delete an app with its users and messages.
    Delete {
        id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WebhookArgs {
    pub(crate) id: String,
    /// Asked before a message is sent; answers {"pass": true}, {"pass": false}, or with another "text".
    #[arg(long, value_name = "URL")]
    pub(crate) before: Option<String>,
    /// Told after a message was sent, at least once. What is not named is removed.
    #[arg(long, value_name = "URL")]
    pub(crate) after: Option<String>,
    /// Signs the requests; one is made up if none is given.
    #[arg(long, value_name = "TEXT")]
    pub(crate) secret: Option<String>,
    /// How long an answer may take, as `500ms`.
    #[arg(long, value_name = "SPAN")]
    pub(crate) timeout: Option<String>,
    /// Refuse messages while the app's server does not answer; else they pass.
    #[arg(long)]
    pub(crate) fail_closed: bool,
    /// Remove both.
    #[arg(long, conflicts_with_all = ["before", "after"])]
    pub(crate) remove: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    pub(crate) id: String,
    /// Most messages in the span.
    #[arg(long, value_name = "COUNT")]
    pub(crate) messages: Option<u32>,
    /// The span, of a second to a day.
    #[arg(long, value_name = "SPAN", default_value = "1m")]
    pub(crate) per: String,
    /// Remove the limit.
    #[arg(long, conflicts_with = "messages")]
    pub(crate) none: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Create a user, or many at once with tokens for a load test.
    Create {
        #[command(flatten)]
        app: AppArg,
        /// The app's own id of the user; left out, one is generated.
        #[arg(conflicts_with = "count")]
        uid: Option<String>,
        /// Display name.
        #[arg(long)]
        name: Option<String>,
        /// Create this many users, named by the prefix and a number from 1.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        count: Option<u32>,
        /// With --count: what their ids begin with.
        #[arg(long, default_value = "u", requires = "count")]
        prefix: String,
        /// With --count: write a line per user, `uid<TAB>id<TAB>token`, into this file.
        #[arg(long, value_name = "FILE", requires = "count")]
        credentials: Option<PathBuf>,
    },
    /// Issue a token, created anew at each call.
    Token {
        #[command(flatten)]
        app: AppArg,
        uid: String,
        /// How long it is good for, as `12h` or `30d`; for ever when left out.
        #[arg(long)]
        lifetime: Option<String>,
    },
    /// End a user's sessions.
    Kick {
        #[command(flatten)]
        app: AppArg,
        uid: String,
        /// Only this device's.
        #[arg(long)]
        device: Option<String>,
    },
    /// Refuse a user from now on, and end the user's sessions.
    Disable {
        #[command(flatten)]
        app: AppArg,
        uid: String,
    },
    /// Let a disabled user in again.
    Enable {
        #[command(flatten)]
        app: AppArg,
        uid: String,
    },
    /// Delete a user for good: sessions end, groups and friends are left. What the user said stays.
    Delete {
        #[command(flatten)]
        app: AppArg,
        uid: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PushCommand {
    /// Add what a provider knows of an app, or change it. `docs/push.md` says which provider wants what.
    Set {
        #[command(flatten)]
        app: AppArg,
        /// What devices call it when they bind their tokens.
        name: String,
        /// Whose it is.
        #[arg(long, value_enum)]
        provider: ProviderArg,
        /// For builds that are not released yet.
        #[arg(long)]
        development: bool,
        /// Bundle id, package name or app id.
        #[arg(long)]
        app_id: Option<String>,
        /// App key; for APNs, the id of the signing key.
        #[arg(long)]
        app_key: Option<String>,
        /// App secret or master secret; for APNs, the team's id.
        #[arg(long, env = "LINNET_PUSH_SECRET", hide_env_values = true)]
        app_secret: Option<String>,
        /// File of the signing key (APNs) or of the service account (FCM); `-` reads it from the standard input.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
        /// Where to ask, if not at the provider's public address.
        #[arg(long)]
        url: Option<String>,
    },
    /// List what providers know of an app, without secrets.
    List {
        #[command(flatten)]
        app: AppArg,
    },
    /// Push over this no more.
    Remove {
        #[command(flatten)]
        app: AppArg,
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProviderArg {
    Apns,
    Fcm,
    Huawei,
    Xiaomi,
    Oppo,
    Vivo,
    Meizu,
}

#[derive(Debug, Args)]
pub(crate) struct AppArg {
    /// The app that the user belongs to.
    #[arg(long, default_value = "demo")]
    pub(crate) app: String,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration in force, every key with its explanation.
    Print,
    /// Check the configuration without starting anything.
    Check,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
