//! Sending the trail elsewhere: from a cursor, at least once.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;

use crate::{follow::Follower, reader::ReadError, trail::Progress};

/// Records sent at once at most.
const BATCH: usize = 512;
/// Bytes sent at once, but for a last record.
const BATCH_BYTES: usize = 1 << 20;
/// How often the trail is looked at for something new.
const LOOK: Duration = Duration::from_millis(500);
/// The first wait after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Takes records; each may come more than once, and none is left out.
#[async_trait]
pub trait Receiver: Send + Sync {
    /// Takes some lines, in order; an error has them sent again.
    async fn take(&self, lines: &[String]) -> Result<(), String>;
}

/// Is told how a receiver does.
pub trait ShippingObserver: Send + Sync {
    /// How many durable records it has not taken.
    fn lag(&self, records: u64);
    /// It took what it was given.
    fn taken(&self) {}
    /// What it failed with.
    fn failed(&self, why: &str);
}

/// The way of a trail's records to one receiver.
pub struct Shipper {
    cursor: PathBuf,
    follower: Follower,
}

impl Shipper {
    /// Goes on where the receiver of this name had got to.
    ///
    /// # Errors
    ///
    /// When the cursor's file can't be read.
    pub fn open(dir: &Path, name: &str) -> io::Result<Self> {
        let cursor = dir.join(format!("ship-{name}.cursor"));
        let next = match fs::read_to_string(&cursor) {
            // A cursor that can't be understood sends everything again.
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self {
            cursor,
            follower: Follower::new(dir, next),
        })
    }

    fn batch(&mut self, durable: u64) -> Result<Vec<String>, ReadError> {
        let (mut lines, mut bytes) = (Vec::new(), 0);
        while lines.len() < BATCH && bytes < BATCH_BYTES {
            let Some((_, line)) = self.follower.next_line(durable)? else {
                break;
            };
            bytes += line.len();
            lines.push(String::from_utf8_lossy(line).into_owned());
        }
        Ok(lines)
    }

    /// Notes how far the receiver is. Not synced: an older cursor after a power
    /// cut only sends again.
    fn keep_cursor(&self) -> io::Result<()> {
        let beside = self.cursor.with_extension("new");
        fs::write(&beside, format!("{}\n", self.follower.next_sequence()))?;
        fs::rename(&beside, &self.cursor)
    }

    /// Sends until told to stop; a receiver that fails or hangs only lags.
    pub async fn run(
        self,
        receiver: &dyn Receiver,
        trail: &Progress,
        observer: &dyn ShippingObserver,
        stop: impl Future<Output = ()>,
    ) {
        tokio::pin!(stop);
        let mut shipper = self;
        loop {
            let sent = tokio::select! {
                biased;
                () = &mut stop => return,
                sent = shipper.round(receiver, trail, observer) => sent,
            };
            let Some(next) = sent else { return };
            shipper = next;
        }
    }

    /// Sends what is new, or waits for it.
    async fn round(
        mut self,
        receiver: &dyn Receiver,
        trail: &Progress,
        observer: &dyn ShippingObserver,
    ) -> Option<Self> {
        let durable = trail.durable();
        let from = self.follower.next_sequence();
        observer.lag(durable.saturating_sub(from));
        let reading = tokio::task::spawn_blocking(move || {
            let lines = self.batch(durable);
            (self, lines)
        });
        let (mut shipper, lines) = reading.await.ok()?;
        match lines {
            Ok(lines) if lines.is_empty() => tokio::time::sleep(LOOK).await,
            Ok(lines) => {
                shipper
                    .deliver(receiver, observer, &lines, from, trail)
                    .await;
            }
            Err(error) => {
                observer.failed(&error.to_string());
                let dir = shipper.cursor.parent().unwrap_or(Path::new("."));
                shipper.follower = Follower::new(dir, from);
                tokio::time::sleep(WAITS.1).await;
            }
        }
        Some(shipper)
    }

    /// Hands some lines over; while that takes, the lag is told.
    async fn take(
        &self,
        receiver: &dyn Receiver,
        observer: &dyn ShippingObserver,
        lines: &[String],
        from: u64,
        trail: &Progress,
    ) -> Result<(), String> {
        let taken = receiver.take(lines);
        tokio::pin!(taken);
        loop {
            tokio::select! {
                taken = &mut taken => return taken,
                () = tokio::time::sleep(LOOK) => {
                    observer.lag(trail.durable().saturating_sub(from));
                }
            }
        }
    }

    async fn deliver(
        &mut self,
        receiver: &dyn Receiver,
        observer: &dyn ShippingObserver,
        lines: &[String],
        from: u64,
        trail: &Progress,
    ) {
        let mut wait = WAITS.0;
        while let Err(why) = self.take(receiver, observer, lines, from, trail).await {
            observer.failed(&why);
            observer.lag(trail.durable().saturating_sub(from));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAITS.1);
        }
        observer.taken();
        if let Err(error) = self.keep_cursor() {
            observer.failed(&format!("the cursor can't be kept: {error}"));
        }
    }
}
