//! How long a revocation takes to reach every replica.
use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::{net::TcpStream, task::JoinSet};

use super::place::{Place, Replica};
use crate::{peers::request, relay::session, users, wire::Connection};

/// How long after a refusal a replica is still asked, so that one that forgets
/// would show.
const ASKED_ON: Duration = Duration::from_millis(100);
/// Between two requests to one replica.
const EACH: Duration = Duration::from_millis(2);
/// A revocation that takes longer ends the run.
const PATIENCE: Duration = Duration::from_secs(15);

/// Times in milliseconds, one of each for a revocation.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub(super) struct Reach {
    /// From sending it to its answer.
    pub(super) answer_ms: Vec<f64>,
    /// From its answer to the last request accepted by any replica; 0 where
    /// that was before the answer.
    pub(super) accepted_ms: Vec<f64>,
    /// From its answer to the end of a live session on another replica; 0 where
    /// that was before the answer.
    pub(super) closed_ms: Vec<f64>,
    /// From sending it to the later of the two.
    pub(super) whole_ms: Vec<f64>,
}

/// Revokes one person after another, each at another replica than the last.
pub(super) async fn measure(
    place: &Place,
    jwt_secret: &str,
    times: usize,
    mut shown: impl FnMut(usize),
) -> Result<Reach> {
    let operator = users::operator(jwt_secret)?;
    let mut reach = Reach::default();
    for number in 0..times {
        shown(number);
        let person = format!("reach-{number}");
        let token = users::token(jwt_secret, &person)?;
        one(place, &operator, (&person, &token), number, &mut reach).await?;
    }
    Ok(reach)
}

async fn one(
    place: &Place,
    operator: &str,
    (person, token): (&str, &str),
    number: usize,
    reach: &mut Reach,
) -> Result<()> {
    let of = |turn: usize| &place.replicas[(number + turn) % place.replicas.len()];
    let (first, carrier) = (of(0), of(1));
    let closed = hold(of(2), carrier, token).await?;
    let probes = Probes::start(place, token);
    probes.until_accepted_by_all().await?;
    let sent = Instant::now();
    revoke(first, operator, person).await?;
    let answered = Instant::now();
    let closed = tokio::time::timeout(PATIENCE, closed.join()).await;
    let closed = closed.context("a live session outlived its revocation")??;
    let last = probes.until_refused_by_all().await?;
    let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
    reach.answer_ms.push(ms(sent, answered));
    reach.accepted_ms.push(ms(answered, last));
    reach.closed_ms.push(ms(answered, closed));
    reach.whole_ms.push(ms(sent, last.max(closed)));
    Ok(())
}

/// A live session's end, watched.
struct Closing(JoinSet<Instant>);

impl Closing {
    async fn join(mut self) -> Result<Instant> {
        let ended = self.0.join_next().await.context("nobody watched")?;
        Ok(ended?)
    }
}

/// Opens a live session at one replica with another's pass.
async fn hold(maker: &Replica, carrier: &Replica, token: &str) -> Result<Closing> {
    let body = r#"{"profile":"interview"}"#;
    let asked = request("/api/generate-client-secret", maker.address, token, body);
    let mut connection = Connection::open(maker.address).await?;
    let answer = connection.exchange(&asked).await?;
    let body = String::from_utf8_lossy(connection.body(&answer)).into_owned();
    ensure!(answer.status == 201, "no pass: {body}");
    let pass: Value = serde_json::from_str(&body)?;
    let pass = pass["value"].as_str().context("no pass")?;
    let mut stream = TcpStream::connect(carrier.address).await?;
    stream.set_nodelay(true)?;
    session::upgrade(carrier.address, &mut stream, "", pass).await?;
    let mut watching = JoinSet::new();
    watching.spawn(async move {
        // What is no text is the end.
        while session::read_frame(&mut stream).await.is_ok() {}
        Instant::now()
    });
    Ok(Closing(watching))
}

async fn revoke(replica: &Replica, operator: &str, person: &str) -> Result<()> {
    let body = format!(r#"{{"kind":"subject","target":"{person}"}}"#);
    let asked = request("/api/admin/revocations", replica.admin, operator, &body);
    let mut connection = Connection::open(replica.admin).await?;
    let answer = connection.exchange(&asked).await?;
    let text = String::from_utf8_lossy(connection.body(&answer)).into_owned();
    ensure!(answer.status == 201, "no revocation: {text}");
    Ok(())
}

/// A person who asks every replica again and again.
struct Probes {
    each: Vec<Arc<Probe>>,
    tasks: JoinSet<Result<()>>,
}

#[derive(Default)]
struct Probe {
    /// When the last request was sent that was accepted.
    accepted: Mutex<Option<Instant>>,
    /// When one was refused after that.
    refused: Mutex<Option<Instant>>,
    stopping: AtomicBool,
}

impl Probes {
    fn start(place: &Place, token: &str) -> Self {
        let (mut each, mut tasks) = (Vec::new(), JoinSet::new());
        for replica in &place.replicas {
            let probe = Arc::<Probe>::default();
            each.push(probe.clone());
            tasks.spawn(probe.ask(replica.address, token.to_owned()));
        }
        Self { each, tasks }
    }

    async fn until_accepted_by_all(&self) -> Result<()> {
        self.until(|probe| at(&probe.accepted).is_some()).await
    }

    /// Ends with all refusing; when the last request was sent that any accepted.
    async fn until_refused_by_all(mut self) -> Result<Instant> {
        let settled = |probe: &Probe| at(&probe.refused).is_some_and(|at| at.elapsed() > ASKED_ON);
        self.until(settled).await?;
        for probe in &self.each {
            probe.stopping.store(true, Ordering::Relaxed);
        }
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        let accepted = self.each.iter().filter_map(|probe| at(&probe.accepted));
        accepted.max().context("nobody was accepted")
    }

    async fn until(&self, so: impl Fn(&Probe) -> bool) -> Result<()> {
        let begun = Instant::now();
        while !self.each.iter().all(|probe| so(probe)) {
            ensure!(begun.elapsed() < PATIENCE, "a replica did not follow");
            tokio::time::sleep(EACH).await;
        }
        Ok(())
    }
}

impl Probe {
    async fn ask(self: Arc<Self>, address: SocketAddr, token: String) -> Result<()> {
        let request = format!(
            "GET /api/client-secrets HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let mut connection = Connection::open(address).await?;
        while !self.stopping.load(Ordering::Relaxed) {
            let sent = Instant::now();
            let answer = connection.exchange(request.as_bytes()).await?;
            match answer.status {
                200 => {
                    set(&self.accepted, Some(sent));
                    set(&self.refused, None);
                }
                403 => {
                    let first = at(&self.refused).unwrap_or_else(Instant::now);
                    set(&self.refused, Some(first));
                }
                status => anyhow::bail!("a replica answered {status}"),
            }
            if answer.closes {
                connection = Connection::open(address).await?;
            }
            tokio::time::sleep(EACH).await;
        }
        Ok(())
    }
}

fn at(moment: &Mutex<Option<Instant>>) -> Option<Instant> {
    *moment.lock().unwrap_or_else(PoisonError::into_inner)
}

fn set(moment: &Mutex<Option<Instant>>, to: Option<Instant>) {
    *moment.lock().unwrap_or_else(PoisonError::into_inner) = to;
}
