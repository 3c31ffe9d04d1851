//! Who asks all the while: callers with and without limits, people who will be
//! found out, and the operator who finds them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    super::{Place, REPLICAS},
    LIFETIME,
    history::{History, Told, What},
};
use crate::support::{client, post, try_send};

/// A caller without a limit rests so long after each answer.
const REST: Duration = Duration::from_millis(30);
/// A person at the limit rests so long after a refusal.
const REFUSED_REST: Duration = Duration::from_millis(100);
/// How often each replica is asked by someone who was, or will be, revoked.
const PROBE_EACH: Duration = Duration::from_millis(60);
/// Of these people the last are asked about.
const PROBED: usize = 6;
/// How long any of them waits for an answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// Where to ask.
#[derive(Clone)]
pub(super) struct Where {
    /// By nginx.
    url: String,
    /// Each replica's public and admin address.
    replicas: Vec<Replica>,
}

#[derive(Clone)]
struct Replica {
    url: String,
    /// Changes with each start.
    admin: Arc<Mutex<String>>,
}

impl Where {
    pub(super) fn of(place: &Place) -> Self {
        let replica = |number: usize| Replica {
            url: place.at(number).url(""),
            admin: Arc::new(Mutex::new(place.at(number).admin_url(""))),
        };
        Self {
            url: place.url.clone(),
            replicas: (0..REPLICAS).map(replica).collect(),
        }
    }

    /// Replicas that were started again have other admin addresses.
    pub(super) fn look_again(&self, place: &Place) {
        for (number, replica) in self.replicas.iter().enumerate() {
            if let Some(serve) = &place.serves[number] {
                *replica.admin.lock().unwrap() = serve.admin_url("");
            }
        }
    }
}

/// Mints through nginx until the end.
pub(super) async fn load(history: Arc<History>, at: Where, bearer: String, person: String) {
    let (client, url) = (client(), format!("{}/api/generate-client-secret", at.url));
    while history.runs() {
        let request = post(&client, &url, &bearer, &json!({})).timeout(PATIENCE);
        let (told, _) = history.ask(What::Mint, &person, request).await;
        let rest = match told {
            Told::Secret { .. } => REST,
            _ => REFUSED_REST,
        };
        tokio::time::sleep(rest).await;
    }
}

/// Someone who will be revoked, or was.
#[derive(Clone)]
struct Suspect {
    name: String,
    bearer: String,
}

/// All of them, the last at the end.
#[derive(Default)]
pub(super) struct Suspects(Mutex<Vec<Suspect>>);

impl Suspects {
    pub(super) fn add(&self, place: &Place, name: &str) {
        let bearer = place.sites[0].token(name, LIFETIME);
        let name = name.to_owned();
        self.0.lock().unwrap().push(Suspect { name, bearer });
    }

    fn last(&self) -> Vec<Suspect> {
        let all = self.0.lock().unwrap();
        all[all.len().saturating_sub(PROBED)..].to_vec()
    }
}

/// Asks one replica as each suspect in turn: lists mostly, and now and then
/// for a secret.
pub(super) async fn probe(
    history: Arc<History>,
    suspects: Arc<Suspects>,
    at: Where,
    replica: usize,
) {
    let (client, base) = (client(), at.replicas[replica].url.clone());
    let (mint, list) = (
        format!("{base}/api/generate-client-secret"),
        format!("{base}/api/client-secrets"),
    );
    for turn in 0_usize.. {
        for Suspect { name, bearer } in suspects.last() {
            if !history.runs() {
                return;
            }
            let (what, request) = match turn % 8 {
                0 => (What::Mint, post(&client, &mint, &bearer, &json!({}))),
                _ => (What::List, client.get(&list).bearer_auth(&bearer)),
            };
            history.ask(what, &name, request.timeout(PATIENCE)).await;
            tokio::time::sleep(PROBE_EACH).await;
        }
        tokio::time::sleep(PROBE_EACH).await;
    }
}

/// The operator.
#[derive(Clone)]
pub(super) struct Operator {
    pub(super) history: Arc<History>,
    pub(super) at: Where,
    pub(super) key: String,
}

impl Operator {
    /// Revokes a person at the first replica that takes it; the revocation's
    /// id, where there is just one for certain.
    pub(super) async fn revoke(&self, person: &str, first: usize) -> Option<String> {
        let body = json!({ "kind": "subject", "target": person, "reason": "found out" });
        let path = "/api/admin/revocations";
        let (answer, turn) = self.order(What::Revoke, person, path, &body, first).await?;
        let id = answer["id"].as_str()?.to_owned();
        (turn == 0).then_some(id)
    }

    /// Lifts a revocation; whether that is known.
    pub(super) async fn lift(&self, person: &str, id: &str, first: usize) -> bool {
        let path = format!("/api/admin/revocations/{id}/lift");
        let nothing = json!({});
        let answer = self.order(What::Lift, person, &path, &nothing, first);
        answer.await.is_some()
    }

    async fn order(
        &self,
        what: What,
        person: &str,
        path: &str,
        body: &Value,
        first: usize,
    ) -> Option<(Value, usize)> {
        let client = client();
        for turn in 0..REPLICAS {
            let replica = &self.at.replicas[(first + turn) % REPLICAS];
            let url = format!("{}{path}", replica.admin.lock().unwrap());
            let request = post(&client, &url, &self.key, body).timeout(PATIENCE);
            let (told, answer) = self.history.ask(what, person, request).await;
            if told == Told::Done {
                return Some((answer?.json(), turn));
            }
        }
        None
    }
}

/// Opens a live session as a person and follows it to its end; where that
/// can't be, there is none.
pub(super) async fn hold(
    place: &Place,
    history: &Arc<History>,
    person: &str,
    carrier: usize,
    tasks: &mut JoinSet<()>,
) {
    let bearer = place.sites[0].token(person, LIFETIME);
    let asked = json!({ "profile": "relayed" });
    let maker = (carrier + 1) % REPLICAS;
    let url = place.at(maker).url("/api/generate-client-secret");
    let request = post(&client(), &url, &bearer, &asked).timeout(PATIENCE);
    let Ok(answer) = try_send(request).await else {
        return;
    };
    if answer.status != 201 {
        return;
    }
    let Some(mut socket) = place.try_connect(carrier, &answer.json()).await else {
        return;
    };
    if socket.next().await.is_err() {
        return;
    }
    let (history, number) = (history.clone(), history.opened(person));
    tasks.spawn(async move {
        let _ = socket.closed().await;
        history.closed(number);
    });
}
