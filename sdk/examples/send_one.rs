//! Sends one text and ends: `cargo run -p linnet-sdk --example send_one -- 127.0.0.1:5101 TOKEN bob "hello"`.

use linnet_sdk::{Client, Options, Trust};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(token), Some(to), Some(text)) =
        (arguments.next(), arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("usage: send_one HOST:PORT TOKEN UID TEXT".into());
    };
    // A development server's certificate is self-signed. Leave `trust` out for a real one.
    let options = Options { trust: Trust::DangerAcceptAnyCertificate, ..Options::new(address, token) };
    let client = Client::connect(options).await?;
    client.ignore_events().await?;
    let sent = client.send_text(to.as_str(), text).await?;
    println!("message {} in {} is durable", sent.seq, sent.conversation);
    client.close().await;
    Ok(())
}
