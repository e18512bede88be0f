use std::path::Path;

use super::*;
use crate::run::remote;

fn secret(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn options(listen: &str, token: Option<&Path>) -> Options {
    Options {
        listen: listen.parse().unwrap(),
        token_file: token.map(Path::to_owned),
        source: vec!["10.0.0.1-3".into()],
    }
}

async fn agent(token: Option<&Path>) -> (Arc<Office>, String) {
    let agent = Agent::listen(options("127.0.0.1:0", token), 1).await.unwrap();
    let (office, address) = (Arc::clone(&agent.office), agent.address().unwrap().to_string());
    tokio::spawn(agent.serve());
    (office, address)
}

#[tokio::test]
async fn it_listens_to_the_world_only_with_a_secret() {
    let refused = Agent::listen(options("0.0.0.0:0", None), 1).await.unwrap_err();
    assert!(refused.to_string().contains("--token-file"), "{refused}");
    let short = secret("short\n");
    assert!(Agent::listen(options("0.0.0.0:0", Some(short.path())), 1).await.is_err());
    let long = secret("a secret of some length\n");
    Agent::listen(options("0.0.0.0:0", Some(long.path())), 1).await.unwrap();
}

#[tokio::test]
async fn who_does_not_know_the_secret_is_refused() {
    let (right, wrong) = (secret("the right secret, indeed"), secret("some other secret, alas"));
    let (office, address) = agent(Some(right.path())).await;
    for file in [Some(&wrong), None] {
        let known = file.map(|file| Secret::read(file.path()).unwrap()).unwrap_or_default();
        let call = remote::Agent { address: &address, secret: &known, run: 1 };
        let refused = call.hire(1).await.unwrap_err();
        assert_eq!(refused.to_string(), "refused: wrong secret");
    }
    assert_eq!(*office.serving.lock(), None);
}

#[tokio::test]
async fn an_agent_that_does_not_know_it_is_not_told_tokens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (read, write) = listener.accept().await.unwrap().0.into_split();
        let (mut read, mut write) = (link::reading(read, STRANGER), link::writing(write));
        let greeting = Greeting { protocol: PROTOCOL, tool: TOOL.into(), nonce: "n".into() };
        link::send(&mut write, &greeting).await.unwrap();
        let request: Request = link::receive(&mut read).await.unwrap().unwrap();
        let welcome = Welcome { proof: request.proof, files: None, cores: 1, sources: Vec::new() };
        link::send(&mut write, &Answer::Welcome(welcome)).await.unwrap();
    });
    let file = secret("the right secret, indeed");
    let call = remote::Agent { address: &address, secret: &Secret::read(file.path()).unwrap(), run: 1 };
    assert_eq!(call.hire(1).await.unwrap_err().to_string(), "does not know the secret itself");
}

#[tokio::test]
async fn strangers_are_not_listened_to_for_long() {
    let (_office, address) = agent(None).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    // The length of a message that no stranger has.
    tokio::io::AsyncWriteExt::write_all(&mut stream, &[0, 0, 0x20, 0]).await.unwrap();
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said).await;
    assert!(said.len() < STRANGER, "a greeting, and the end");
}

#[tokio::test]
async fn another_version_is_refused() {
    let (_office, address) = agent(None).await;
    let (read, write) = TcpStream::connect(&address).await.unwrap().into_split();
    let (mut read, mut write) = (link::reading(read, STRANGER), link::writing(write));
    let greeting: Greeting = link::receive(&mut read).await.unwrap().unwrap();
    let nonce = "n".to_owned();
    let proof = Secret::default().prove(Side::Coordinator, &greeting.nonce, &nonce);
    let request = Request { protocol: PROTOCOL + 1, tool: TOOL.into(), nonce, proof, run: 1 };
    link::send(&mut write, &request).await.unwrap();
    let Some(Answer::Refused(reason)) = link::receive(&mut read).await.unwrap() else { panic!("welcome") };
    assert!(reason.contains(&format!("protocol {}", PROTOCOL + 1)), "{reason}");
}

#[test]
fn one_run_at_a_time() {
    let office =
        Arc::new(Office { secret: Secret::default(), sources: Vec::new(), threads: 1, serving: Mutex::default() });
    let first = Place::take(&office, 7).unwrap();
    let second = Place::take(&office, 7).unwrap();
    assert!(Place::take(&office, 8).is_err());
    drop(first);
    assert!(Place::take(&office, 8).is_err(), "one worker is left");
    drop(second);
    Place::take(&office, 8).unwrap();
}

#[tokio::test]
async fn messages_pass_and_a_death_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (read, write) = listener.accept().await.unwrap().0.into_split();
    let mut shell = Command::new("sh");
    // Gives back what it is told, and dies.
    shell.args(["-c", "head -c 10; echo enough >&2; exit 4"]);
    let passing = tokio::spawn(pass_on(read, write, Process::start(shell).unwrap()));
    let (read, write) = there.into_split();
    let (mut read, mut write) = (link::reading(read, STRANGER), link::writing(write));
    link::send(&mut write, &"Ping").await.unwrap();
    assert_eq!(link::receive::<_, String>(&mut read).await.unwrap().unwrap(), "Ping");
    let Some(FromWorker::Failed(reason)) = link::receive(&mut read).await.unwrap() else { panic!("alive") };
    assert_eq!(reason, "ended with code 4: enough");
    assert_eq!(passing.await.unwrap().unwrap_err().to_string(), reason);
}

#[tokio::test]
async fn a_coordinator_that_is_gone_ends_its_worker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (read, write) = listener.accept().await.unwrap().0.into_split();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec sleep 1000"]);
    let passing = tokio::spawn(pass_on(read, write, Process::start(shell).unwrap()));
    drop(there);
    assert_eq!(passing.await.unwrap().unwrap_err().to_string(), "the coordinator is gone");
}
