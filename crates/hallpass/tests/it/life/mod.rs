//! A grant's life from outside: refresh, reports, revocation.

mod at_once;
mod crash;
mod kinds;
mod race;
mod refresh;

use serde_json::{Value, json};

use crate::support::{Answer, Serve, Sim, Site, post, random_hex, send};

/// A server, its upstream, and who may do what there.
struct Place {
    site: Site,
    sim: Sim,
    serve: Serve,
    service: String,
    operator: String,
}

impl Place {
    fn start() -> Self {
        let key = format!("sk-{}", random_hex(16));
        let sim = Sim::start(&key);
        let site = Site::new(&sim.url, &key, "");
        let service = site.api_key("service", "svc");
        let operator = site.api_key("operator", "adm");
        let serve = Serve::start(&site);
        Self {
            site,
            sim,
            serve,
            service,
            operator,
        }
    }

    /// Kills the server and starts it again.
    fn restart(&mut self) {
        self.serve.process.kill_9();
        self.serve = Serve::start(&self.site);
    }

    async fn ask(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        let url = self.serve.url(path);
        send(post(&self.serve.client, &url, bearer, body)).await
    }

    async fn mint(&self, bearer: &str, body: &Value) -> Answer {
        self.ask("/api/generate-client-secret", bearer, body).await
    }

    /// A grant's own route.
    async fn on(&self, grant: &Value, what: &str, bearer: &str, body: &Value) -> Answer {
        let id = grant["id"].as_str().unwrap();
        let path = format!("/api/client-secrets/{id}/{what}");
        self.ask(&path, bearer, body).await
    }

    async fn state(&self, grant: &Value) -> Value {
        let id = grant["id"].as_str().unwrap();
        let url = self.serve.admin_url(&format!("/api/admin/grants/{id}"));
        let request = self.serve.client.get(url).bearer_auth(&self.operator);
        send(request).await.json()
    }

    async fn revoke(&self, kind: &str, target: Option<&str>) -> Answer {
        let url = self.serve.admin_url("/api/admin/revocations");
        let body = json!({ "kind": kind, "target": target, "reason": "a test" });
        send(post(&self.serve.client, &url, &self.operator, &body)).await
    }

    async fn lift(&self, id: &Value) -> Answer {
        let id = id.as_str().unwrap();
        let url = self
            .serve
            .admin_url(&format!("/api/admin/revocations/{id}/lift"));
        send(post(&self.serve.client, &url, &self.operator, &json!({}))).await
    }
}

/// The shortest life there is: refreshed from half of it on.
fn shortest() -> Value {
    json!({ "expires_after": { "anchor": "created_at", "seconds": 10 } })
}
