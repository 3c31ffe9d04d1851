//! A Redis of one simulated host: the real scripts in a real Lua 5.1, over
//! those commands that are used. What it holds is gone when it crashes.

mod commands;
mod keys;
mod lua;
mod protocol;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use tokio::io::AsyncWriteExt;
use turmoil::net::{TcpListener, TcpStream};

use self::{
    keys::Keys,
    protocol::{Reader, Reply},
};
use crate::trace::Trace;

/// Where it listens.
pub(crate) const PORT: u16 = 6379;

/// One server's life, from its start to its crash.
pub(crate) async fn serve(trace: Trace) -> turmoil::Result {
    trace.note("redis starts, empty");
    let server = Rc::new(RefCell::new(Server::default()));
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let server = server.clone();
        tokio::task::spawn_local(async move {
            let _ = converse(server, stream).await;
        });
    }
}

async fn converse(server: Rc<RefCell<Server>>, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = Reader::new(stream);
    while let Some(command) = reader.command().await? {
        let reply = server.borrow_mut().answer(&command);
        let mut bytes = Vec::new();
        reply.write(&mut bytes);
        reader.stream().write_all(&bytes).await?;
    }
    Ok(())
}

#[derive(Default)]
struct Server {
    keys: Rc<RefCell<Keys>>,
    /// The scripts it was told, by their hash.
    scripts: BTreeMap<String, String>,
}

impl Server {
    fn answer(&mut self, command: &[Vec<u8>]) -> Reply {
        let Some((verb, arguments)) = command.split_first() else {
            return Reply::error("ERR empty command");
        };
        let verb = String::from_utf8_lossy(verb).to_ascii_uppercase();
        match verb.as_str() {
            "EVAL" => {
                let Some((text, rest)) = arguments.split_first() else {
                    return Reply::error("ERR wrong number of arguments");
                };
                let text = String::from_utf8_lossy(text).into_owned();
                let hash = ::redis::Script::new(&text).get_hash().to_owned();
                self.scripts.insert(hash, text.clone());
                self.script(&text, rest)
            }
            "EVALSHA" => {
                let Some((hash, rest)) = arguments.split_first() else {
                    return Reply::error("ERR wrong number of arguments");
                };
                let hash = String::from_utf8_lossy(hash).into_owned();
                match self.scripts.get(&hash).cloned() {
                    Some(text) => self.script(&text, rest),
                    None => Reply::error("NOSCRIPT No matching script"),
                }
            }
            _ => commands::run(&mut self.keys.borrow_mut(), command),
        }
    }

    fn script(&self, text: &str, rest: &[Vec<u8>]) -> Reply {
        let counted = rest.first().and_then(|it| keys::number(it));
        let Some(count) = counted.and_then(|it| usize::try_from(it as i64).ok()) else {
            return Reply::error("ERR value is not an integer or out of range");
        };
        let (keys, arguments) = rest[1..].split_at(count.min(rest.len() - 1));
        match lua::run(&self.keys, text, keys, arguments) {
            Ok(reply) => reply,
            Err(error) => Reply::Error(format!("ERR {error}").replace(['\r', '\n'], " ")),
        }
    }
}
