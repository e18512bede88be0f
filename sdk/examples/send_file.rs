//! Uploads a file and sends it:
//! `cargo run -p linnet-sdk --example send_file -- 127.0.0.1:5101 http://127.0.0.1:8080 TOKEN bob cat.png`.

use linnet_sdk::content::{self, File, Kind};
use linnet_sdk::{Client, FileFor, FileKind, Options, Target, Trust};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [gateway, files, token, to, path] = &arguments[..] else {
        return Err("usage: send_file HOST:PORT URL TOKEN UID PATH".into());
    };
    // A development server's certificate is self-signed. Leave `trust` out for a real one.
    let (trust, files) = (Trust::DangerAcceptAnyCertificate, Some(files.clone()));
    let client = Client::connect(Options { trust, files, ..Options::new(gateway, token) }).await?;
    client.ignore_events().await?;
    let conversation = client.conversation_with(Target::Uid(to.clone())).await?;
    let file = tokio::fs::File::open(path).await?;
    let size = file.metadata().await?.len();
    let name = std::path::Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    let uploaded = client.upload_from(FileFor::Conversation(conversation, FileKind::Any), &name, file, size).await?;
    let sent = client.send(conversation, content::of(Kind::File(File { media: Some(uploaded.media()) }))).await?;
    println!("{} is message {} in {}", uploaded.url, sent.seq, sent.conversation);
    client.close().await;
    Ok(())
}
