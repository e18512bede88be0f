//! Just enough of the protocol to command a server: one connection a command, no state.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a server may take over a command before it counts as silent.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a server answered, other than with an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing is there.
    Nil,
    /// A number.
    Number(i64),
    /// A status or a string.
    Text(Vec<u8>),
    /// Several of them.
    List(Vec<Self>),
}

impl Reply {
    /// The text, if it is one.
    #[must_use]
    pub fn into_text(self) -> Option<String> {
        match self {
            Self::Text(bytes) => String::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The strings of a list.
    #[must_use]
    pub fn into_items(self) -> Vec<Vec<u8>> {
        let Self::List(items) = self else { return Vec::new() };
        let text = |item| if let Self::Text(bytes) = item { Some(bytes) } else { None };
        items.into_iter().filter_map(text).collect()
    }
}

pub(super) fn ask(address: &str, command: &[&str]) -> Result<Reply, String> {
    let command: Vec<&[u8]> = command.iter().map(|part| part.as_bytes()).collect();
    ask_bytes(address, &command)
}

pub(super) fn ask_bytes(address: &str, command: &[&[u8]]) -> Result<Reply, String> {
    let exchange = || -> std::io::Result<Result<Reply, String>> {
        let address = address.parse().map_err(std::io::Error::other)?;
        let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for part in command {
            request.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
            request.extend_from_slice(part);
            request.extend_from_slice(b"\r\n");
        }
        stream.write_all(&request)?;
        read(&mut BufReader::new(stream))
    };
    exchange().map_err(|error| error.to_string())?
}

fn read(input: &mut BufReader<TcpStream>) -> std::io::Result<Result<Reply, String>> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, text)) = line.split_at_checked(1) else {
        return Err(std::io::Error::other("the server hung up"));
    };
    let number = || text.parse::<i64>().map_err(std::io::Error::other);
    Ok(Ok(match kind {
        "+" => Reply::Text(text.as_bytes().to_vec()),
        "-" => return Ok(Err(text.to_owned())),
        ":" => Reply::Number(number()?),
        "$" => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Ok(Reply::Nil)) };
            let mut bytes = vec![0; length + 2];
            input.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Reply::Text(bytes)
        }
        "*" => {
            let mut items = Vec::new();
            for _ in 0..number()? {
                match read(input)? {
                    Ok(item) => items.push(item),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Reply::List(items)
        }
        _ => return Err(std::io::Error::other(format!("an answer that begins with `{kind}`"))),
    }))
}
