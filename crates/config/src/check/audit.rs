//! `[audit]`.

use url::Url;

use super::{Findings, address, repeated};
use crate::section::Audit;

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
