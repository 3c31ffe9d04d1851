//! OpenAI: gives secrets and makes calls, reached over the network; and now and
//! then it fails, or takes its time.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};

use async_trait::async_trait;
use hallpass_core::{
    audit::UpstreamFacts,
    call::{CallMaker, CallOrder, CallPlace, HangUpError, Heard, ListenError, MadeCall, Sideband},
    code::Code,
    ports::{Clock, MintFailure, MintOrder, MintedSecret, Minter},
    refusal::Refusal,
    secret::ClientSecret,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use turmoil::net::{TcpListener, TcpStream};

use crate::{clock::SimClock, remote::Remote, trace::Trace};

const PORT: u16 = 443;
const SIDEBANDS: u16 = 444;
/// How often a sideband hears something.
const EVENTS: Duration = Duration::from_secs(2);

/// What it knows.
pub(crate) struct State {
    trace: Trace,
    chance: StdRng,
    minted: u64,
    pub(crate) secrets: BTreeSet<String>,
    made: u64,
    /// Calls that last, and whose they are.
    pub(crate) live: BTreeMap<String, String>,
}

/// The way to OpenAI.
pub(crate) fn openai(seed: u64, trace: Trace) -> Remote<State> {
    let state = State {
        trace,
        chance: StdRng::seed_from_u64(seed ^ 0x6f70_656e),
        minted: 0,
        secrets: BTreeSet::new(),
        made: 0,
        live: BTreeMap::new(),
    };
    Remote::new("openai", PORT, state)
}

impl State {
    /// One in twenty fails.
    fn fails(&mut self) -> bool {
        self.chance.random_ratio(1, 20)
    }

    fn mint(&mut self) -> Option<String> {
        if self.fails() {
            return None;
        }
        self.minted += 1;
        let secret = format!("ek_{:032x}", self.minted);
        self.secrets.insert(secret.clone());
        Some(secret)
    }

    fn make(&mut self, whose: String) -> Option<String> {
        if self.fails() {
            return None;
        }
        self.made += 1;
        let call = format!("rtc_{}", self.made);
        self.trace.note(format_args!("openai makes {call}"));
        self.live.insert(call.clone(), whose);
        Some(call)
    }

    fn hang_up(&mut self, call: &str) -> bool {
        if self.fails() {
            return false;
        }
        if self.live.remove(call).is_some() {
            self.trace.note(format_args!("openai hangs up {call}"));
        }
        true
    }
}

/// One host's life.
pub(crate) async fn serve(openai: Remote<State>) -> turmoil::Result {
    let heard = openai.clone();
    tokio::spawn(async move {
        let listener = TcpListener::bind(("0.0.0.0", SIDEBANDS)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let openai = heard.clone();
            tokio::spawn(async move {
                let _ = speak(openai, stream).await;
            });
        }
        #[allow(unreachable_code)]
        io::Result::Ok(())
    });
    openai.serve(Duration::from_millis(30)).await
}

/// A sideband: the call's id comes, then events go until the call is over.
async fn speak(openai: Remote<State>, stream: TcpStream) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut call = String::new();
    stream.read_line(&mut call).await?;
    let call = call.trim();
    let lasts = || openai.see(|state| state.live.contains_key(call));
    if !lasts() {
        return stream.write_all(b"none\n").await;
    }
    stream.write_all(b"open\n").await?;
    while lasts() {
        stream
            .write_all(b"{\"type\":\"rate_limits.updated\"}\n")
            .await?;
        tokio::time::sleep(EVENTS).await;
    }
    Ok(())
}

/// A replica's way to it.
pub(crate) struct ToOpenAi(pub(crate) Remote<State>);

const DEADLINE: Duration = Duration::from_secs(4);

impl ToOpenAi {
    async fn obtain(
        &self,
        job: impl FnOnce(&mut State) -> Option<String> + Send + 'static,
    ) -> Result<String, Box<MintFailure>> {
        match self.0.ask(DEADLINE, job).await {
            Ok(Some(got)) => Ok(got),
            Ok(None) => Err(failure(Code::UpstreamUnavailable, false)),
            Err(_) => Err(failure(Code::UpstreamTimeout, true)),
        }
    }
}

fn failure(code: Code, orphan_possible: bool) -> Box<MintFailure> {
    Box::new(MintFailure {
        refusal: Refusal::new(code, "The simulated OpenAI gives nothing now."),
        upstream: UpstreamFacts {
            orphan_possible,
            ..UpstreamFacts::default()
        },
    })
}

#[async_trait]
impl Minter for ToOpenAi {
    async fn mint(&self, order: MintOrder) -> Result<MintedSecret, Box<MintFailure>> {
        order.journal.note_sent();
        let secret = self.obtain(State::mint).await?;
        let life = Duration::from_secs(order.expires_after_seconds.into());
        Ok(MintedSecret {
            secret: ClientSecret::new(secret),
            expires_at: SimClock.now() + life,
            session: serde_json::from_str(order.session.as_json()).unwrap(),
            connect_url: "wss://openai/v1/realtime".to_owned(),
            upstream: UpstreamFacts::default(),
        })
    }
}

#[async_trait]
impl CallMaker for ToOpenAi {
    async fn make(&self, order: CallOrder) -> Result<MadeCall, Box<MintFailure>> {
        let whose = order.safety_identifier;
        let call_id = self.obtain(move |state| state.make(whose)).await?;
        Ok(MadeCall {
            place: CallPlace {
                call_id,
                upstream: "openai".into(),
                key: "key".into(),
            },
            answer: "v=0\r\n".to_owned(),
            upstream: UpstreamFacts::default(),
        })
    }

    async fn listen(&self, place: &CallPlace) -> Result<Box<dyn Sideband>, ListenError> {
        let unreachable = |error: io::Error| ListenError::Unreachable(error.to_string());
        let opening = open(&place.call_id);
        let opened = tokio::time::timeout(DEADLINE, opening).await;
        let opened = opened.map_err(|_| ListenError::Unreachable("no answer".to_owned()))?;
        match opened.map_err(unreachable)? {
            Some(ear) => Ok(Box::new(ear)),
            None => Err(ListenError::NoCall),
        }
    }

    async fn hang_up(&self, place: &CallPlace) -> Result<(), HangUpError> {
        let call = place.call_id.clone();
        match self
            .0
            .ask(DEADLINE, move |state| state.hang_up(&call))
            .await
        {
            Ok(true) => Ok(()),
            Ok(false) => Err(HangUpError("status 500".to_owned())),
            Err(error) => Err(HangUpError(error.to_string())),
        }
    }
}

/// A sideband of a replica.
struct Ear {
    stream: BufReader<TcpStream>,
    /// What came of the next line; whoever stops listening loses nothing.
    line: Vec<u8>,
}

async fn open(call: &str) -> io::Result<Option<Ear>> {
    let mut stream = BufReader::new(TcpStream::connect(("openai", SIDEBANDS)).await?);
    stream.write_all(format!("{call}\n").as_bytes()).await?;
    let mut said = String::new();
    stream.read_line(&mut said).await?;
    let ear = Ear {
        stream,
        line: Vec::new(),
    };
    Ok((said == "open\n").then_some(ear))
}

#[async_trait]
impl Sideband for Ear {
    async fn hear(&mut self) -> Heard {
        match self.stream.read_until(b'\n', &mut self.line).await {
            Ok(read) if read > 0 && self.line.ends_with(b"\n") => {
                let line = std::mem::take(&mut self.line);
                Heard::Event(String::from_utf8_lossy(&line).trim().to_owned())
            }
            Ok(_) => Heard::Closed { code: 1000 },
            Err(_) => Heard::Lost,
        }
    }

    async fn say(&mut self, _: &str) -> bool {
        true
    }
}
