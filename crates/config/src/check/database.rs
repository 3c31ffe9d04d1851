//! `[store]`: the way to the database.

use url::Url;

use super::Findings;
use crate::section::Store;

pub(super) fn check(store: &Store, findings: &mut Findings<'_>) {
    let member = match store.durable_file {
        Some(_) => "store.durable_file",
        None => "store.durable",
    };
    if store.durable.is_postgres() && !is_safe(store.durable.expose()) {
        findings.warn(
            member,
            "the way to the database is neither local nor verified: who stands on it can read and change everything",
            "Add `?sslmode=verify-full&sslrootcert=/path/to/ca.pem` to the address",
        );
    }
}

/// Whether nobody can stand between here and the database.
fn is_safe(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let member = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    };
    if member("sslmode").is_some_and(|mode| mode.starts_with("verify-")) {
        return true;
    }
    let named = member("host").map(std::borrow::Cow::into_owned);
    let host = named.or_else(|| url.host_str().map(str::to_owned));
    host.is_none_or(|host| is_local(&host))
}

fn is_local(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let socket = host.is_empty() || host.starts_with('/') || host.starts_with("%2F");
    let loopback = host.parse::<std::net::IpAddr>();
    socket || host == "localhost" || loopback.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_must_be_verified() {
        for safe in [
            "postgres://hallpass@127.0.0.1/hallpass",
            "postgres://hallpass@[::1]:5433/hallpass",
            "postgres://localhost/hallpass",
            "postgres:///hallpass?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/hallpass",
            "postgres://h:x@db.example/hallpass?sslmode=verify-full&sslrootcert=/ca.pem",
        ] {
            assert!(is_safe(safe), "{safe}");
        }
        for open in [
            "postgres://h:x@db.example/hallpass",
            "postgres://h:x@db.example/hallpass?sslmode=require",
            "postgres://h:x@127.0.0.1/hallpass?host=db.example",
            "postgres://h:x@10.0.0.7/hallpass?sslmode=prefer",
        ] {
            assert!(!is_safe(open), "{open}");
        }
    }
}
