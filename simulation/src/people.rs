//! Who asks: people that mint and call, and an operator who revokes them.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    replica::{ADMIN, PUBLIC, Site},
    rules::Rules,
    trace, wire,
};

/// When nobody asks any more.
pub(crate) const STOP: Duration = Duration::from_secs(100);
/// How long a revoked person goes on asking before they come as another.
const STUBBORN: Duration = Duration::from_secs(18);

const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";

/// Someone who asks.
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) number: u64,
    pub(crate) sites: Vec<Site>,
    pub(crate) rules: Rules,
}

impl Person {
    fn chance(&self) -> StdRng {
        let seed = self.sites[0].seed;
        StdRng::seed_from_u64(seed.rotate_left(29) ^ self.number)
    }

    /// Mints and calls until it is time to stop. One whose operator revokes
    /// them goes on for a while, and then comes under another name.
    pub(crate) async fn ask(self, revoked_now_and_then: bool) -> turmoil::Result {
        let mut chance = self.chance();
        let (mut life, mut dies) = (0, None);
        while trace::now() < STOP {
            sleep(Duration::from_millis(chance.random_range(300..1500))).await;
            let subject = format!("{}-{life}", self.name);
            let site = &self.sites[chance.random_range(0..self.sites.len())];
            if chance.random_ratio(3, 4) {
                self.mint(site, &subject, "talk").await;
            } else if let Some((grant, pass)) = self.mint(site, &subject, "call").await {
                let both = chance.random_ratio(1, 2);
                self.call(&subject, (&grant, &pass), both).await;
            }
            if !revoked_now_and_then {
                continue;
            }
            if dies.is_none() && chance.random_ratio(1, 20) {
                let site = &self.sites[chance.random_range(0..self.sites.len())];
                if self.revoke(site, &subject).await {
                    dies = Some(trace::now() + STUBBORN);
                }
            }
            if dies.is_some_and(|at| trace::now() > at) {
                (life, dies) = (life + 1, None);
            }
        }
        Ok(())
    }

    async fn mint(&self, site: &Site, subject: &str, profile: &str) -> Option<(String, String)> {
        let (sent, body) = (trace::now(), json!({ "profile": profile }).to_string());
        let bearer = format!("{subject} person");
        let path = "/api/generate-client-secret";
        let asked = wire::post(
            (site.name, PUBLIC),
            path,
            &bearer,
            ("application/json", body),
        )
        .await;
        let name = site.name;
        let Ok(answer) = asked else {
            site.trace
                .note(format_args!("{subject} {profile} at {name}: no answer"));
            return None;
        };
        site.trace.note(format_args!(
            "{subject} {profile} at {name}: {}",
            answer.status
        ));
        if answer.status != 201 {
            self.rules.refused(answer.status);
            return None;
        }
        let given = answer.json();
        let text = |member: &str| given[member].as_str().unwrap_or_default().to_owned();
        let (grant, secret) = (text("id"), text("value"));
        self.rules.given(site, (subject, sent), (&grant, &secret));
        Some((grant, secret))
    }

    /// Calls with a pass, at both replicas at once where it is greedy.
    async fn call(&self, subject: &str, (grant, pass): (&str, &str), both: bool) {
        let first = self.call_at(&self.sites[0], subject, grant, pass);
        let second = self.call_at(&self.sites[1], subject, grant, pass);
        if both {
            tokio::join!(first, second);
        } else {
            second.await;
        }
    }

    async fn call_at(&self, site: &Site, subject: &str, grant: &str, pass: &str) {
        let sent = trace::now();
        let offer = ("application/sdp", OFFER.to_owned());
        let asked = wire::post((site.name, PUBLIC), "/v1/realtime/calls", pass, offer).await;
        let name = site.name;
        let Ok(answer) = asked else {
            site.trace
                .note(format_args!("{subject} calls at {name}: no answer"));
            return;
        };
        site.trace
            .note(format_args!("{subject} calls at {name}: {}", answer.status));
        match answer.status {
            201 => self.rules.called(site, (subject, sent), grant),
            status => self.rules.refused(status),
        }
    }

    async fn revoke(&self, site: &Site, subject: &str) -> bool {
        let body = json!({"kind": "subject", "target": subject, "reason": "simulated"});
        let body = ("application/json", body.to_string());
        let path = "/api/admin/revocations";
        let asked = wire::post((site.name, ADMIN), path, "root operator", body).await;
        let status = asked.map_or(0, |answer| answer.status);
        site.trace
            .note(format_args!("{subject} revoked at {}: {status}", site.name));
        let done = status == 201 || status == 200;
        if done {
            self.rules.revoked(subject);
        }
        done
    }
}
