//! Answers every text with the same text: `cargo run -p linnet-sdk --example echo_bot -- 127.0.0.1:5101 TOKEN`.

use linnet_sdk::{Client, Event, Options, Trust, content};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: echo_bot HOST:PORT TOKEN".into());
    };
    // A development server's certificate is self-signed. Leave `trust` out for a real one.
    let options = Options { trust: Trust::DangerAcceptAnyCertificate, ..Options::new(address, token) };
    let client = Client::connect(options).await?;
    let me = client.me().await?.user;
    let mut events = client.events();
    // What was said before the bot came is history, and not to be answered.
    let mut live = false;
    while let Some(event) = events.next().await {
        match event {
            Event::Synced => live = true,
            Event::Disconnected { reason, retry_in } => eprintln!("{reason}; trying again in {retry_in:?}"),
            Event::Entry(new) if live && new.entry.sender != me => {
                let Some(text) = content::text_of(&new.entry) else { continue };
                // Sent from another task: while an answer is awaited here, no event would be taken.
                let (client, text) = (client.clone(), text.to_owned());
                tokio::spawn(async move {
                    let answered = async {
                        client.mark_read(new.conversation, new.entry.seq).await?;
                        client.send_text(new.conversation, text).await
                    };
                    if let Err(error) = answered.await {
                        eprintln!("{}: {error}", new.conversation);
                    }
                });
            }
            _ => {}
        }
    }
    Ok(())
}
