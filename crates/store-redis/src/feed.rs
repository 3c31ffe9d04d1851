//! The word that revocations changed, as a stream every replica reads.
//!
//! The stream says how far the truth has come, not what it is: a replica that
//! hears of a revision it does not know reads it where it is durable. So a
//! word that is lost, told twice or out of order does no harm; without any,
//! replicas look by themselves every few seconds. A stream with a cursor needs
//! no publish and subscribe beside it: it is read several times a second.

use std::sync::Arc;

use hallpass_core::ports::StoreError;
use redis::streams::{StreamRangeReply, StreamReadReply};

use crate::{
    link::Link,
    names::Tag,
    script::{Call, Script, script},
};

pub(crate) static TELL: Script = script!("tell.lua");

/// Words that are kept for replicas that read late.
const KEPT: usize = 10_000;
/// How long the last word is kept.
const LASTS_MS: u64 = 3_600_000;

/// One reader of the stream, who may also write to it.
pub struct RevocationNews {
    link: Arc<Link>,
    cursor: Option<String>,
}

impl RevocationNews {
    /// Reads from now on.
    #[must_use]
    pub const fn new(link: Arc<Link>) -> Self {
        Self { link, cursor: None }
    }

    /// Says that revocations changed here.
    ///
    /// # Errors
    ///
    /// When Redis does not take it; others then find out by themselves.
    pub async fn tell(link: &Link, revision: u64) -> Result<(), StoreError> {
        let call = Call::on([name()]).with(KEPT).with(LASTS_MS).with(revision);
        link.run::<String>(&TELL, &call).await.map(drop)
    }

    /// The newest revision anyone spoke of since the last time; none where
    /// nobody did.
    ///
    /// # Errors
    ///
    /// When Redis can't be read; what was told meanwhile comes the next time.
    pub async fn news(&mut self) -> Result<Option<u64>, StoreError> {
        let cursor = match self.cursor.take() {
            Some(cursor) => cursor,
            None => last_id(&self.link, &name()).await?,
        };
        let (entries, cursor) = match read(&self.link, &name(), &cursor).await {
            Ok(read) => read,
            Err(error) => {
                self.cursor = Some(cursor);
                return Err(error);
            }
        };
        self.cursor = Some(cursor);
        Ok(entries.iter().filter_map(|text| text.parse().ok()).max())
    }
}

fn name() -> String {
    Tag::feed().name("revocations")
}

/// The id of a stream's last entry.
pub(crate) async fn last_id(link: &Link, stream: &str) -> Result<String, StoreError> {
    let mut last = redis::cmd("XREVRANGE");
    last.arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
    let last: StreamRangeReply = link.query(&last).await?;
    let last = last.ids.into_iter().next();
    Ok(last.map_or_else(|| "0-0".to_owned(), |entry| entry.id))
}

/// A stream's entries after a cursor, and the cursor after them.
pub(crate) async fn read(
    link: &Link,
    stream: &str,
    cursor: &str,
) -> Result<(Vec<String>, String), StoreError> {
    let mut read = redis::cmd("XREAD");
    read.arg("COUNT")
        .arg(1000)
        .arg("STREAMS")
        .arg(stream)
        .arg(cursor);
    let read: Option<StreamReadReply> = link.query(&read).await?;
    let keys = read.map(|read| read.keys).unwrap_or_default();
    let mut after = cursor.to_owned();
    let mut texts = Vec::new();
    for entry in keys.into_iter().flat_map(|key| key.ids) {
        texts.extend(entry.get::<String>("t"));
        after = entry.id;
    }
    Ok((texts, after))
}
