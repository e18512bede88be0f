//! The conversation: what the user types goes out, what happens comes in.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use linnet_sdk::content::{self, Entry};
use linnet_sdk::{Client, ConversationId, Delivered, Event, Events, Outgoing, Range, Sent};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::input::Input;
use super::names::Names;
use super::say::{self, Said};
use super::screen::Screen;

/// How often "is typing" is told and shown, at most.
const TYPING: Duration = Duration::from_secs(4);
/// How long the last messages may take to be acknowledged when the user leaves.
const LEAVING: Duration = Duration::from_secs(10);
/// Most members whose coming and going is followed.
const WATCHED: u32 = 200;

const HELP: &str = "/to UID  /group GID  /who  /history [COUNT]  /quit";

/// One user at one terminal.
pub(super) struct Talk {
    client: Client,
    screen: Screen,
    names: Names,
    me: u64,
    open: Option<Open>,
    history: u32,
    interactive: bool,
    /// Messages sent from here, which come back as entries.
    mine: HashSet<String>,
    sending: JoinSet<linnet_sdk::Result<Sent>>,
    synced: bool,
    /// The connection is lost, and that has been said.
    away: bool,
    typing_told: Option<Instant>,
    typing_shown: Option<(u64, Instant)>,
}

/// The conversation on the screen.
struct Open {
    id: ConversationId,
    /// Everything up to here has been shown.
    shown: u64,
}

/// What to do next.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Leave,
}

impl Talk {
    pub(super) fn new(client: Client, screen: Screen, me: u64, history: u32, interactive: bool) -> Self {
        Self {
            client,
            screen,
            names: Names::default(),
            me,
            open: None,
            history,
            interactive,
            mine: HashSet::new(),
            sending: JoinSet::new(),
            synced: false,
            away: false,
            typing_told: None,
            typing_shown: None,
        }
    }

    /// Talks until the user leaves or the session is over for good.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>, mut events: Events) -> Result<()> {
        loop {
            let next = tokio::select! {
                input = inputs.recv() => self.input(input.unwrap_or(Input::End)).await,
                event = events.next() => match event {
                    Some(Event::Closed(error)) => {
                        self.screen.problem(&format!("the session is over: {error}"));
                        anyhow::bail!("{error}");
                    }
                    Some(event) => {
                        self.event(event).await;
                        Next::Go
                    }
                    None => Next::Leave,
                },
                Some(sent) = self.sending.join_next() => {
                    self.sent(sent);
                    Next::Go
                }
            };
            if next == Next::Leave {
                break;
            }
        }
        let rest = async {
            while let Some(sent) = self.sending.join_next().await {
                self.sent(sent);
            }
        };
        if tokio::time::timeout(LEAVING, rest).await.is_err() {
            anyhow::bail!("{} messages were not acknowledged", self.sending.len());
        }
        self.client.close().await;
        Ok(())
    }

    /// Says what can be done before a conversation is opened.
    pub(super) fn greet(&mut self) {
        self.screen.note(&format!("everything that you are sent shows up here; to write: {HELP}"));
    }

    /// Turns to a conversation: its name, its last messages, who is there.
    pub(super) async fn open(&mut self, id: ConversationId) {
        let name = self.names.conversation(&self.client, id, self.me).await;
        self.screen.note(&format!("{name}: write a line to send it, /help for more, Ctrl-D to leave"));
        self.open = Some(Open { id, shown: 0 });
        self.show_history(self.history).await;
        self.watch().await;
    }

    async fn input(&mut self, input: Input) -> Next {
        match input {
            Input::End => return Next::Leave,
            Input::Typing => self.tell_typing(),
            Input::Line(line) => match line.trim() {
                "" => {}
                command if command.starts_with('/') => return self.command(command).await,
                text => self.send(text).await,
            },
        }
        Next::Go
    }

    async fn command(&mut self, command: &str) -> Next {
        let (word, argument) = command.split_once(' ').unwrap_or((command, ""));
        let argument = argument.trim();
        match word {
            "/quit" | "/exit" => return Next::Leave,
            "/to" => match self.client.conversation_with(argument.into()).await {
                Ok(id) => self.open(id).await,
                Err(error) => self.screen.problem(&format!("{argument}: {error}")),
            },
            "/group" => match self.client.group_by_gid(argument).await {
                Ok(group) => self.open(group.conversation()).await,
                Err(error) => self.screen.problem(&format!("{argument}: {error}")),
            },
            "/who" => self.watch().await,
            "/history" => self.show_history(argument.parse().unwrap_or(self.history)).await,
            "/help" => self.screen.note(HELP),
            _ => self.screen.problem(&format!("{word}: there is no such command. {HELP}")),
        }
        Next::Go
    }

    async fn send(&mut self, text: &str) {
        let Some(open) = &self.open else {
            self.screen.problem("nobody to talk to yet: /to UID or /group GID");
            return;
        };
        let client_msg_id = format!("{:032x}", rand::random::<u128>());
        let outgoing = Outgoing {
            conversation: open.id,
            content: content::text(text),
            client_msg_id: client_msg_id.clone(),
            online_only: false,
        };
        self.mine.insert(client_msg_id);
        self.typing_told = None;
        match self.client.submit(outgoing).await {
            Ok(pending) => {
                if !self.interactive {
                    self.screen.message(&crate::time::hour_minute(storage::Clock::system().now().0), "me", text, true);
                }
                self.sending.spawn(pending.acknowledged());
            }
            Err(error) => self.screen.problem(&format!("not sent: {error}")),
        }
    }

    fn sent(&mut self, sent: Result<linnet_sdk::Result<Sent>, tokio::task::JoinError>) {
        match sent {
            Ok(Ok(sent)) => self.screen.note(&format!("sent, #{}", sent.seq)),
            Ok(Err(error)) if error.is_definite() => self.screen.problem(&format!("not sent: {error}")),
            Ok(Err(error)) => self.screen.problem(&format!("perhaps not sent: {error}")),
            Err(error) => self.screen.problem(&format!("not sent: {error}")),
        }
    }

    async fn event(&mut self, event: Event) {
        match event {
            Event::Connected { resumed, .. } => {
                let again = std::mem::take(&mut self.away) || resumed;
                self.screen.note(if again { "connected again" } else { "connected" });
                if !resumed && self.synced {
                    self.watch().await;
                }
            }
            Event::Disconnected { reason, .. } if !self.away => {
                // Said once: the client goes on trying, and says when it is back.
                self.away = true;
                let reason = reason.split(": http").next().unwrap_or_default();
                self.screen.problem(&format!("disconnected: {reason}; trying again"));
            }
            Event::Synced => self.synced = true,
            Event::Entry(delivered) => self.delivered(&delivered).await,
            Event::OnlineOnly(delivered) => {
                self.show(delivered.conversation, &delivered.entry).await;
            }
            Event::Reset { conversation, .. } if self.is_open(conversation) => {
                self.screen.problem("the server lost a part of this conversation");
                if let Some(open) = &mut self.open {
                    open.shown = 0;
                }
            }
            Event::Conversation(conversation) if !self.is_open(conversation.id) && conversation.unread > 0 => {
                let name = self.names.conversation(&self.client, conversation.id, self.me).await;
                self.screen.note(&format!("{} unread from {name}", conversation.unread));
            }
            Event::Receipt(receipt) if self.is_open(receipt.conversation) && receipt.user != self.me => {
                let name = self.names.user(&self.client, receipt.user).await;
                self.screen.note(&format!("{name} has read up to #{}", receipt.seq));
            }
            Event::Typing { conversation, user, active: true } if self.is_open(conversation) && user != self.me => {
                let again = self.typing_shown.is_some_and(|(who, when)| who == user && when.elapsed() < TYPING);
                if !again {
                    self.typing_shown = Some((user, Instant::now()));
                    let name = self.names.user(&self.client, user).await;
                    self.screen.note(&format!("{name} is typing"));
                }
            }
            Event::Presence(presence) if presence.user != self.me => {
                self.show_presence(presence.user, presence.online).await;
            }
            Event::Draining { reconnect_in } => {
                self.screen.note(&format!("the server is about to restart; back in {reconnect_in:.1?}"));
            }
            _ => {}
        }
    }

    /// An entry that became known: at once if it is new, and not twice if the history has shown it.
    async fn delivered(&mut self, delivered: &Delivered) {
        let Delivered { conversation, entry, .. } = delivered;
        if let Some(open) = self.open.as_mut().filter(|open| open.id == *conversation) {
            if entry.seq <= open.shown {
                return;
            }
            open.shown = entry.seq;
        } else if !self.synced {
            // What was said elsewhere before: the unread counts tell of it.
            return;
        }
        self.show(*conversation, entry).await;
        if self.is_open(*conversation) && entry.sender != self.me {
            self.mark_read(*conversation, entry.seq);
        }
    }

    async fn show(&mut self, conversation: ConversationId, entry: &Entry) {
        if self.mine.remove(&entry.client_msg_id) {
            return;
        }
        let Some(said) = say::entry(entry) else { return };
        let name = self.names.user(&self.client, entry.sender).await;
        let time = crate::time::hour_minute(entry.time);
        let mine = entry.sender == self.me;
        match said {
            Said::Message(text) if self.is_open(conversation) => self.screen.message(&time, &name, &text, mine),
            Said::Message(text) => {
                let place = self.names.conversation(&self.client, conversation, self.me).await;
                self.screen.note(&format!("in {place}, {name}: {text}"));
            }
            Said::Act(act) => self.screen.note(&format!("{name} {act}")),
        }
    }

    async fn show_history(&mut self, count: u32) {
        let Some(open) = &self.open else { return };
        let id = open.id;
        // A conversation begins with its first message: until then there is nothing to read.
        let mut page = match self.client.history(id, Range::Newest, count.clamp(1, 200)).await {
            Ok(page) => page,
            Err(linnet_sdk::Error::NotFound(_)) => return,
            Err(error) => {
                self.screen.problem(&format!("no history: {error}"));
                return;
            }
        };
        page.entries.reverse();
        for entry in &page.entries {
            self.show(id, entry).await;
        }
        if let Some(open) = &mut self.open {
            open.shown = open.shown.max(page.last_seq);
        }
        if page.last_seq > 0 {
            self.mark_read(id, page.last_seq);
        }
    }

    /// Says who is there, and follows them from now on.
    async fn watch(&mut self) {
        let Some(open) = &self.open else { return };
        let users: Vec<u64> = match open.id {
            ConversationId::Direct { .. } => open.id.peer_of(self.me).into_iter().collect(),
            ConversationId::Group(group) => match self.client.members(group, None, WATCHED).await {
                Ok(page) => page.items.iter().map(|member| member.user.id).collect(),
                Err(_) => Vec::new(),
            },
            ConversationId::Notices(_) => Vec::new(),
        };
        let others: Vec<u64> = users.into_iter().filter(|user| *user != self.me).collect();
        match self.client.subscribe_presence(&others).await {
            Ok(presences) => {
                for presence in presences {
                    self.show_presence(presence.user, presence.online).await;
                }
            }
            Err(error) => self.screen.problem(&format!("presence: {error}")),
        }
    }

    async fn show_presence(&mut self, user: u64, online: bool) {
        let name = self.names.user(&self.client, user).await;
        self.screen.note(&format!("{name} is {}", if online { "online" } else { "offline" }));
    }

    fn is_open(&self, id: ConversationId) -> bool {
        self.open.as_ref().is_some_and(|open| open.id == id)
    }

    /// Tells the others, without waiting: a mark that is lost is made up for by the next one.
    fn mark_read(&self, conversation: ConversationId, seq: u64) {
        let client = self.client.clone();
        tokio::spawn(async move { client.mark_read(conversation, seq).await });
    }

    fn tell_typing(&mut self) {
        let Some(open) = &self.open else { return };
        if self.typing_told.is_some_and(|told| told.elapsed() < TYPING) {
            return;
        }
        self.typing_told = Some(Instant::now());
        let (client, id) = (self.client.clone(), open.id);
        tokio::spawn(async move { client.typing(id, true).await });
    }
}
