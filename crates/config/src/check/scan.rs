//! `[scan]`.

use super::{Findings, address};
use crate::section::Scan;

pub(super) fn check(scan: &Scan, findings: &mut Findings<'_>) {
    for (index, url) in scan.origins.iter().enumerate() {
        let path = format!("scan.origins[{index}]");
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            findings.refuse(&path, "this is no page", "Write `https://…`");
            continue;
        }
        if scan.allow_private_addresses {
            continue;
        }
        if url.scheme() == "http" || address::is_private(url) {
            findings.refuse(
                &path,
                "only public pages are scanned, with https",
                "Write `https://…`, or set `allow_private_addresses = true`",
            );
        }
    }
}
