//! `[store]`: what several replicas need, and what one alone may have.

use super::Findings;
use crate::section::Store;

pub(super) fn check(store: &Store, findings: &mut Findings<'_>) {
    let (alone, counts_alone) = (store.durable.is_embedded(), store.shared.is_embedded());
    if store.replicas > 1 {
        several(store.replicas, (alone, counts_alone), findings);
    } else if !counts_alone {
        one(alone, findings);
    }
    if is_in_the_clear(store.shared.expose()) {
        findings.warn(
            "store.shared",
            "passes and the password of Redis travel in the clear",
            "Write `rediss` in place of `redis`; plain is for loopback and private networks",
        );
    }
}

fn several(replicas: u32, (alone, counts_alone): (bool, bool), findings: &mut Findings<'_>) {
    if counts_alone {
        let what = format!(
            "each of the {replicas} replicas would count alone, so every limit would be {replicas} times what it says, and a pass of one would be unknown to the others"
        );
        let remedy = "Set `store.shared = \"redis://…\"`, or `store.replicas = 1` and run one";
        findings.refuse("store.shared", &what, remedy);
    }
    if alone {
        let what = format!(
            "each of the {replicas} replicas would keep its own keys, grants and revocations: what one revokes the others would let through"
        );
        let remedy = "Set `store.durable = \"postgres://…\"`, or `store.replicas = 1` and run one";
        findings.refuse("store.durable", &what, remedy);
    }
}

/// One that shares: allowed, and most likely a number forgotten.
fn one(alone: bool, findings: &mut Findings<'_>) {
    if alone {
        findings.warn(
            "store.shared",
            "Redis is shared by replicas, and their keys, grants and revocations would not be: SQLite is one replica's own",
            "Set `store.durable = \"postgres://…\"` before a second replica is started",
        );
        return;
    }
    findings.warn(
        "store.replicas",
        "with one replica, each that runs lets the whole of every limit through while Redis is away",
        "Set `store.replicas` to how many run",
    );
}

/// What is seen in the text; a private network can't be told from a public one
/// by its name.
fn is_in_the_clear(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let hosts = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
    let hosts = hosts.split('/').next().unwrap_or_default();
    let is_plain = scheme.starts_with("redis") && !scheme.starts_with("rediss");
    let is_far = |host: &str| {
        !["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|near| host.starts_with(near))
    };
    is_plain && rest.contains('@') && hosts.split(',').any(is_far)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::load::from_toml_str;

    const REST: &str = r#"
[[upstream]]
name = "openai"
base_url = "https://api.openai.com/v1"
api_key = "sk-x"
"#;

    fn said(store: &str) -> (Vec<String>, Vec<String>) {
        let told = |problems: &[crate::Problem]| {
            let store = problems
                .iter()
                .filter(|problem| problem.path.starts_with("store"));
            store.map(|problem| problem.path.clone()).collect()
        };
        match from_toml_str(&format!("[store]\n{store}\n{REST}"), Path::new("")) {
            Ok(loaded) => (Vec::new(), told(&loaded.warnings)),
            Err(problems) => (
                told(&problems.iter().cloned().collect::<Vec<_>>()),
                Vec::new(),
            ),
        }
    }

    #[test]
    fn several_replicas_need_both_stores() {
        let both = ("store.durable".to_owned(), "store.shared".to_owned());
        assert_eq!(said("replicas = 2").0, [both.0.clone(), both.1.clone()]);
        let shared = "replicas = 2\nshared = \"redis://127.0.0.1\"";
        assert_eq!(said(shared).0, [both.0]);
        let durable = "replicas = 2\ndurable = \"postgres://127.0.0.1/h\"";
        assert_eq!(said(durable).0, [both.1]);
        let whole = "replicas = 2\nshared = \"redis+cluster://127.0.0.1:1,127.0.0.1:2\"\ndurable = \"postgres://127.0.0.1/h\"";
        assert_eq!(said(whole), (Vec::new(), Vec::new()));
    }

    #[test]
    fn one_replica_may_have_either_and_is_warned_of_what_it_forgets() {
        assert_eq!(said("replicas = 1"), (Vec::new(), Vec::new()));
        assert_eq!(said("shared = \"redis://127.0.0.1\"").1, ["store.shared"]);
        let whole = "shared = \"redis://127.0.0.1\"\ndurable = \"postgres://127.0.0.1/h\"";
        assert_eq!(said(whole).1, ["store.replicas"]);
    }

    #[test]
    fn a_password_over_plain_redis_is_warned_of_unless_it_stays_here() {
        let far = "shared = \"redis://:x@redis.example.com\"\n";
        assert!(said(far).1.len() == 2);
        let near = "shared = \"redis://:x@127.0.0.1:1\"\n";
        assert!(said(near).1.len() == 1);
    }
}
