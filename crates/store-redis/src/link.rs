//! The way to Redis: one connection, bounded waits, and whether it is there.
//!
//! A request never waits for a connection to be made: without one, or while
//! Redis is known to be away, it is told so at once and goes by the policy of
//! its purpose. [`Link::keep`] brings the connection back.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hallpass_core::ports::StoreError;
use redis::{Cmd, FromRedisValue, RedisResult, Value};
use tokio::time::{sleep, timeout};

use crate::{
    address::Address,
    dial::Dial,
    jitter,
    names::Tag,
    reply,
    script::{Call, Script},
    standing::{LinkObserver, Regained, Standing},
    wire::Wire,
};

/// How often it is looked whether Redis is still there.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a look is remembered: longer than any two lie apart.
const REMEMBERS_MS: u64 = 60_000;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct LinkTimes {
    /// One command, from sending to the whole answer.
    pub command: Duration,
    /// Making a connection, TLS and authentication included.
    pub connect: Duration,
}

impl Default for LinkTimes {
    fn default() -> Self {
        Self {
            command: Duration::from_millis(100),
            connect: Duration::from_secs(2),
        }
    }
}

/// The way to one Redis, shared by everything that uses it.
pub struct Link {
    address: Address,
    dial: Option<Arc<dyn Dial>>,
    times: LinkTimes,
    wire: Mutex<Numbered>,
    standing: Standing,
    probe: String,
}

/// The connection and which one it is, so that a late failure of an earlier
/// one does not end it.
#[derive(Default)]
struct Numbered {
    number: u64,
    wire: Option<Wire>,
}

impl Link {
    /// A link that [`Link::keep`] or [`Link::connect`] will connect. `replica`
    /// tells this process from others.
    #[must_use]
    pub fn new(
        address: Address,
        times: LinkTimes,
        replica: &str,
        observer: Arc<dyn LinkObserver>,
    ) -> Self {
        Self {
            address,
            dial: None,
            times,
            wire: Mutex::default(),
            standing: Standing::new(observer),
            probe: Tag::replica(replica).name("probe"),
        }
    }

    /// Reaches the server in a way of its own; its address then says only that
    /// it is one server.
    #[must_use]
    pub fn dialled_by(mut self, dial: Arc<dyn Dial>) -> Self {
        self.dial = Some(dial);
        self
    }

    /// Whether Redis is there, as far as is known.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.standing.is_up()
    }

    /// Whether keys are spread over several servers.
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.address.is_cluster()
    }

    /// Tells whenever Redis is back, which may have lost what it held.
    pub(crate) fn regained(&self) -> Regained {
        self.standing.regained()
    }

    /// Connects once; what fails is told to the observer, and [`Link::keep`]
    /// tries again.
    pub async fn connect(&self) -> bool {
        match self.come_back().await {
            Ok(()) => {
                self.standing.recovered();
                true
            }
            Err(error) => {
                self.standing.failed(&error);
                false
            }
        }
    }

    /// Keeps the link until told to stop.
    ///
    /// Who finds Redis gone asks again after a wait of its own, longer each
    /// time: replicas that lost it together don't come back together.
    pub async fn keep(self: Arc<Self>, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let wait = self.standing.next_look(LOOK_EVERY);
            tokio::select! {
                () = &mut stop => return,
                () = sleep(jitter::about(wait)) => {}
                () = self.standing.fell(), if self.is_up() => continue,
            }
            match self.is_up() {
                // A failure is told by whoever asks.
                true => match self.look().await {
                    Ok(true) | Err(_) => {}
                    Ok(false) => self.standing.emptied(),
                },
                false => match self.come_back().await {
                    Ok(()) => self.standing.recovered(),
                    Err(error) => self.standing.still_away(&error),
                },
            }
        }
    }

    /// Sends a command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        self.standing.admit()?;
        let (number, answer) = self.ask(command).await?;
        self.judged(number, answer)
    }

    /// Runs a script, which Redis may have forgotten.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        call: &Call,
    ) -> Result<T, StoreError> {
        self.standing.admit()?;
        let (mut number, mut answer) = self.ask(&script.by_name(call)).await?;
        if let Err(error) = &answer
            && error.code() == Some("NOSCRIPT")
        {
            (number, answer) = self.ask(&script.by_text(call)).await?;
        }
        self.judged(number, answer)
    }

    /// The answer by the connection there is, and which one that was.
    async fn ask(&self, command: &Cmd) -> Result<(u64, RedisResult<Value>), StoreError> {
        let (number, wire) = {
            let numbered = self.numbered();
            (numbered.number, numbered.wire.clone())
        };
        let Some(mut wire) = wire else {
            return Err(self.lost(number, "there is no connection to Redis".to_owned()));
        };
        match timeout(self.times.command, wire.ask(command)).await {
            Ok(answer) => Ok((number, answer)),
            Err(_) => {
                let bound = self.times.command.as_millis();
                Err(self.lost(number, format!("Redis did not answer within {bound} ms")))
            }
        }
    }

    /// Reads an answer. Any error of Redis' ends the connection: also where it
    /// says that it is no primary any more, or full, the next one may lead to
    /// a better server.
    fn judged<T: FromRedisValue>(
        &self,
        number: u64,
        answer: RedisResult<Value>,
    ) -> Result<T, StoreError> {
        match answer {
            Ok(value) => reply::read(value),
            Err(error) => Err(self.lost(number, format!("Redis: {error}"))),
        }
    }

    /// Lets a connection go. What an earlier one says late changes nothing.
    fn lost(&self, number: u64, why: String) -> StoreError {
        let error = StoreError(why);
        let is_current = {
            let mut numbered = self.numbered();
            let is_current = numbered.number == number;
            if is_current {
                numbered.wire = None;
            }
            is_current
        };
        if is_current {
            self.standing.failed(&error);
        }
        error
    }

    /// Whether Redis still takes writes, by the connection there is, and has
    /// what was written at the last look.
    async fn look(&self) -> Result<bool, StoreError> {
        let mut write = redis::cmd("SET");
        write
            .arg(&self.probe)
            .arg(1)
            .arg("PX")
            .arg(REMEMBERS_MS)
            .arg("GET");
        let (number, answer) = self.ask(&write).await?;
        self.judged::<Option<i64>>(number, answer)
            .map(|before| before.is_some())
    }

    async fn come_back(&self) -> Result<(), StoreError> {
        let wire = timeout(self.times.connect, self.wire());
        let wire = match wire.await {
            Ok(Ok(wire)) => wire,
            Ok(Err(error)) => return Err(StoreError(format!("can't connect to Redis: {error}"))),
            Err(_) => {
                let bound = self.times.connect.as_millis();
                return Err(StoreError(format!(
                    "no connection to Redis within {bound} ms"
                )));
            }
        };
        {
            let mut numbered = self.numbered();
            numbered.number += 1;
            numbered.wire = Some(wire);
        }
        self.look().await.map(drop)
    }

    async fn wire(&self) -> RedisResult<Wire> {
        match &self.dial {
            Some(dial) => Wire::over(dial.dial().await?).await,
            None => Wire::connect(&self.address, self.times.connect).await,
        }
    }

    fn numbered(&self) -> MutexGuard<'_, Numbered> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
