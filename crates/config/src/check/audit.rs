//! `[audit]`.

use url::Url;

use super::{Findings, address, repeated};
use crate::section::{Audit, Config};

pub(super) fn check(audit: &Audit, findings: &mut Findings<'_>) {
    if audit.hot_days > audit.retention_days && !findings.is_builtin("audit.hot_days") {
        findings.warn(
            "audit.hot_days",
            "no segment is at hand longer than it is kept",
            "Choose at most `audit.retention_days`",
        );
    }
    if let Some(archive) = &audit.archive {
        check_archive(archive, findings);
    }
    if let Some(place) = &audit.checkpoint_to {
        check_place(place, "audit.checkpoint_to", true, findings);
    }
    for (index, place) in audit.ship_to.iter().enumerate() {
        check_place(place, &format!("audit.ship_to[{index}]"), false, findings);
    }
    if let Some((index, _)) = repeated(audit.ship_to.iter().map(String::as_str)) {
        findings.refuse(
            &format!("audit.ship_to[{index}]"),
            "the place is named twice",
            "Name it once",
        );
    }
}

/// A trail whose home is the database must be whole there, for as long as it is
/// to be kept, and each replica's its own.
pub(super) fn check_in_database(config: &Config, findings: &mut Findings<'_>) {
    const PRIMARY: &str = "audit.primary";
    if !config.store.durable.is_postgres() {
        findings.refuse(
            PRIMARY,
            "there is no PostgreSQL the trail could be in",
            "Set `store.durable = \"postgres://…\"`, or `audit.primary = \"file\"`",
        );
    }
    if config.server.replica.is_none() {
        findings.refuse(
            "server.replica",
            "a trail in the database goes on under its replica's name, and a name made in a data directory is gone with it",
            "Give each replica a name of its own that it has again after a restart, such as its pod's",
        );
    }
    if config.store.postgres.trail_days < config.audit.retention_days {
        findings.refuse(
            "store.postgres.trail_days",
            &format!(
                "the database would drop records after {} days that are to be kept {} days, and they are nowhere else",
                config.store.postgres.trail_days, config.audit.retention_days
            ),
            "Set `store.postgres.trail_days` to `audit.retention_days` at least",
        );
    }
    if config.audit.archive.is_some() {
        findings.refuse(
            "audit.archive",
            "the archive is of files, and here they are a copy that begins anew at each start",
            "Leave it out and back the database up, or set `audit.primary = \"file\"`",
        );
    }
    if !config.audit.ship_to.is_empty() {
        findings.refuse(
            "audit.ship_to",
            "what is sent on is read from files that begin anew at each start, so records could be left out",
            "Read the database instead, or set `audit.primary = \"file\"`",
        );
    }
}

fn check_archive(archive: &str, findings: &mut Findings<'_>) {
    let known = ["s3", "gs", "az", "file"];
    let Ok(url) = Url::parse(archive) else {
        return;
    };
    if !known.contains(&url.scheme()) {
        findings.refuse(
            "audit.archive",
            "no archive can be kept there",
            "Write a folder, or an address that begins with `s3://`, `gs://` or `az://`",
        );
    }
}

fn check_place(place: &str, path: &str, may_be_file: bool, findings: &mut Findings<'_>) {
    if place == "stdout" {
        return;
    }
    if may_be_file
        && place
            .strip_prefix("file:")
            .is_some_and(|file| !file.is_empty())
    {
        return;
    }
    let url = Url::parse(place).ok().filter(Url::has_host);
    let Some(url) = url.filter(|url| ["http", "https"].contains(&url.scheme())) else {
        let remedy = if may_be_file {
            "Write `stdout`, `file:/path` or `https://…`"
        } else {
            "Write `stdout` or `https://…/v1/logs`"
        };
        findings.refuse(path, "this is no place anything can be sent to", remedy);
        return;
    };
    if url.scheme() == "http" && !address::is_loopback(&url) {
        findings.refuse(
            path,
            "records would travel in the clear",
            "Write `https://`; plain http is for loopback only",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::load::from_toml_str;

    const UPSTREAM: &str = r#"
[[upstream]]
name = "openai"
base_url = "https://api.openai.com/v1"
api_key = "sk-x"
"#;

    /// The places of what is refused.
    fn refused(text: &str) -> Vec<String> {
        match from_toml_str(&format!("{text}\n{UPSTREAM}"), Path::new("")) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(|it| it.path.clone()).collect(),
        }
    }

    #[test]
    fn a_trail_in_the_database_needs_one_that_keeps_it_and_a_name() {
        let mut all = refused(
            "[audit]\nprimary = \"postgres\"\narchive = \"/srv/archive\"\nship_to = [\"stdout\"]",
        );
        all.sort();
        let wrong = [
            "audit.archive",
            "audit.primary",
            "audit.ship_to",
            "server.replica",
            "store.postgres.trail_days",
        ];
        assert_eq!(all, wrong);
        let whole = "[server]\nreplica = \"a\"\n[audit]\nprimary = \"postgres\"\n\
            [store]\ndurable = \"postgres://127.0.0.1/h\"\n[store.postgres]\ntrail_days = 365";
        assert_eq!(refused(whole), Vec::<String>::new());
        let kept = whole.replace(
            "primary = \"postgres\"",
            "primary = \"postgres\"\nretention_days = 400",
        );
        assert_eq!(refused(&kept), ["store.postgres.trail_days"]);
    }
}
