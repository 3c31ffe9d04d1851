//! The closed loop: each connection asks again as soon as it was answered.
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::{
    ledger::Ledger,
    process::{Server, Usage},
    wire::Connection,
};

/// A mint that takes longer than this ends the run.
const PATIENCE: Duration = Duration::from_secs(30);
const SHOWN_OF_A_WRONG_ANSWER: usize = 300;

/// Where to send, and one request for each simulated user.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Vec<Vec<u8>>,
}

/// How long one measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// What one measurement gave.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Sample {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the server for each request.
    pub(crate) cpu_ms: f64,
    /// Share of its core that the server used, in percent.
    pub(crate) server_busy: f64,
    /// Share of their core that load generator and upstream used, in percent.
    pub(crate) load_busy: f64,
    pub(crate) memory_mb: f64,
}

/// Whose processor time is counted.
pub(crate) struct Watched<'a> {
    /// The servers that are asked; their times are added up.
    pub(crate) servers: Vec<&'a Server>,
    /// What they use in turn; each by itself.
    pub(crate) beside: Vec<&'a Server>,
}

impl Watched<'_> {
    fn usage(&self) -> Result<Used> {
        let mut servers = Usage::default();
        for server in &self.servers {
            let usage = server.usage()?;
            servers.cpu += usage.cpu;
            servers.peak_memory_bytes += usage.peak_memory_bytes;
        }
        let beside = self.beside.iter().map(|server| Ok(server.usage()?.cpu));
        Ok(Used {
            servers,
            load: Usage::of_self()?.cpu,
            beside: beside.collect::<Result<_>>()?,
        })
    }
}

/// What everyone used by a moment.
struct Used {
    servers: Usage,
    load: Duration,
    beside: Vec<Duration>,
}

struct Loop {
    targets: Vec<Arc<Target>>,
    ledger: Arc<Ledger>,
    recording: AtomicBool,
    stopping: AtomicBool,
    latencies_us: Mutex<Histogram<u64>>,
}

/// Mints over so many connections; fails at the first wrong answer.
pub(crate) async fn drive(
    target: &Arc<Target>,
    ledger: &Arc<Ledger>,
    connections: usize,
    timing: Timing,
    server: &Server,
) -> Result<Sample> {
    let watched = Watched {
        servers: vec![server],
        beside: Vec::new(),
    };
    let targets = std::slice::from_ref(target);
    let driven = drive_all(targets, ledger, connections, timing, &watched).await?;
    Ok(driven.0)
}

/// The same over several servers, connection by connection in turn; also the
/// processor time in milliseconds that each mint cost those beside them.
pub(crate) async fn drive_all(
    targets: &[Arc<Target>],
    ledger: &Arc<Ledger>,
    connections: usize,
    timing: Timing,
    watched: &Watched<'_>,
) -> Result<(Sample, Vec<f64>)> {
    let shared = Arc::new(Loop {
        targets: targets.to_vec(),
        ledger: Arc::clone(ledger),
        recording: AtomicBool::new(false),
        stopping: AtomicBool::new(false),
        latencies_us: Mutex::new(Histogram::new(3)?),
    });
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let shared = Arc::clone(&shared);
        tasks.spawn(async move { shared.repeat(number, connections).await });
    }
    let sample = shared.measure(timing, watched, &mut tasks).await?;
    shared.stopping.store(true, Ordering::Relaxed);
    join(tasks).await?;
    Ok(sample)
}

/// Sends one mint, to see that the server is configured as it should.
pub(crate) async fn try_once(target: &Target, ledger: &Ledger) -> Result<()> {
    let mut connection = Connection::open(target.address).await?;
    let request = target.requests.first().context("no request to send")?;
    mint(&mut connection, request, ledger).await.map(drop)
}

impl Loop {
    async fn measure(
        &self,
        timing: Timing,
        watched: &Watched<'_>,
        tasks: &mut JoinSet<Result<()>>,
    ) -> Result<(Sample, Vec<f64>)> {
        watch(tasks, timing.warm_up).await?;
        let before = watched.usage()?;
        let begun = Instant::now();
        self.recording.store(true, Ordering::Relaxed);
        watch(tasks, timing.window).await?;
        self.recording.store(false, Ordering::Relaxed);
        let elapsed = begun.elapsed();
        let after = watched.usage()?;
        sample(&self.latencies(), elapsed, &before, &after)
    }

    /// One connection's life: user after user, until told to stop.
    async fn repeat(&self, number: usize, step: usize) -> Result<()> {
        let target = self.targets.get(number % self.targets.len().max(1));
        let target = target.context("no server to ask")?;
        let requests = &target.requests;
        let mut connection = Connection::open(target.address).await?;
        let mut user = number;
        while !self.stopping.load(Ordering::Relaxed) {
            let request = requests.get(user % requests.len());
            let request = request.context("no request to send")?;
            let begun = Instant::now();
            let closes = mint(&mut connection, request, &self.ledger).await?;
            self.record(begun.elapsed())?;
            if closes {
                connection = Connection::open(target.address).await?;
            }
            // An odd stride visits all users whatever the step.
            user += step | 1;
        }
        Ok(())
    }

    fn record(&self, latency: Duration) -> Result<()> {
        if self.recording.load(Ordering::Relaxed) {
            self.latencies()
                .record(u64::try_from(latency.as_micros())?)?;
        }
        Ok(())
    }

    fn latencies(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.latencies_us
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One mint, checked; says whether the server closes the connection after it.
async fn mint(connection: &mut Connection, request: &[u8], ledger: &Ledger) -> Result<bool> {
    let answer = connection.exchange(request).await?;
    let body = connection.body(&answer);
    let wrong = || format!("a wrong answer: {} {}", answer.status, shown(body));
    ensure!((200..300).contains(&answer.status), wrong());
    ledger.take(body).with_context(wrong)?;
    Ok(answer.closes)
}

fn shown(body: &[u8]) -> String {
    let shown = &body[..body.len().min(SHOWN_OF_A_WRONG_ANSWER)];
    String::from_utf8_lossy(shown).into_owned()
}

/// Waits, unless a connection's task ends, which none does by itself.
async fn watch(tasks: &mut JoinSet<Result<()>>, time: Duration) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        Some(ended) = tasks.join_next() => match ended? {
            Ok(()) => bail!("a connection stopped asking"),
            Err(error) => Err(error),
        },
    }
}

async fn join(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    };
    let joined = tokio::time::timeout(PATIENCE, all).await;
    joined.with_context(|| format!("a mint went unanswered for {} s", PATIENCE.as_secs()))?
}

fn sample(
    latencies: &Histogram<u64>,
    elapsed: Duration,
    before: &Used,
    after: &Used,
) -> Result<(Sample, Vec<f64>)> {
    ensure!(!latencies.is_empty(), "no mint was answered in the window");
    let requests = latencies.len() as f64;
    let seconds = elapsed.as_secs_f64();
    let since = |after: Duration, before| after.saturating_sub(before).as_secs_f64();
    let server = since(after.servers.cpu, before.servers.cpu);
    let load = since(after.load, before.load);
    let beside = after.beside.iter().zip(&before.beside);
    let beside = beside.map(|(after, before)| since(*after, *before) * 1e3 / requests);
    let sample = Sample {
        requests_per_second: requests / seconds,
        p50_ms: latencies.value_at_quantile(0.5) as f64 / 1e3,
        p99_ms: latencies.value_at_quantile(0.99) as f64 / 1e3,
        cpu_ms: server * 1e3 / requests,
        server_busy: server * 100.0 / seconds,
        load_busy: load * 100.0 / seconds,
        memory_mb: after.servers.peak_memory_bytes as f64 / 1e6,
    };
    Ok((sample, beside.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Upstream;

    const TIMING: Timing = Timing {
        warm_up: Duration::from_millis(20),
        window: Duration::from_millis(200),
    };

    fn target(address: SocketAddr, key: &str) -> Arc<Target> {
        let request = format!(
            "POST /v1/realtime/client_secrets HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\ncontent-length: 2\r\n\r\n{{}}"
        );
        Arc::new(Target {
            address,
            requests: vec![request.into_bytes(); 3],
        })
    }

    async fn upstream(ledger: &Arc<Ledger>) -> Upstream {
        let upstream = Upstream::start(Arc::clone(ledger), "key".to_owned()).await;
        upstream.expect("started")
    }

    fn idle() -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().expect("a temp folder");
        let mut command = std::process::Command::new("sleep");
        command.arg("60");
        let server = Server::start(&command, None, &folder.path().join("log"));
        (folder, server.expect("started"))
    }

    #[tokio::test]
    async fn a_run_counts_what_was_answered() {
        let ledger = Arc::new(Ledger::new(1));
        let upstream = upstream(&ledger).await;
        let (_folder, server) = idle();
        let target = target(upstream.address, "key");

        let sample = drive(&target, &ledger, 4, TIMING, &server).await;

        let sample = sample.expect("a sample");
        assert!(sample.requests_per_second > 0.0);
        assert!(sample.p50_ms <= sample.p99_ms);
    }

    #[tokio::test]
    async fn a_delay_shows_in_the_latency() {
        let ledger = Arc::new(Ledger::new(1));
        let upstream = upstream(&ledger).await;
        upstream.set_delay(Duration::from_millis(30));
        let (_folder, server) = idle();
        let target = target(upstream.address, "key");

        let sample = drive(&target, &ledger, 2, TIMING, &server).await;

        assert!(sample.expect("a sample").p50_ms >= 29.0);
    }

    #[tokio::test]
    async fn a_wrong_answer_ends_the_run_and_is_shown() {
        let ledger = Arc::new(Ledger::new(1));
        let upstream = upstream(&ledger).await;
        let (_folder, server) = idle();
        let target = target(upstream.address, "another");

        let error = drive(&target, &ledger, 2, TIMING, &server).await;

        let error = error.expect_err("refused").to_string();
        assert!(error.contains("401"), "{error}");
    }
}
