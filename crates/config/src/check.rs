//! What is well formed and still wrong or unsafe.

mod access;
mod address;
mod alerts;
mod audit;
mod auth;
mod database;
mod profile;
mod scan;
mod secret;
mod server;
mod store;
mod traces;
mod upstream;

use crate::document::Origins;
use crate::load::Scope;
use crate::problem::{Origin, Problem, Problems};
use crate::section::Config;

pub(crate) use secret::is_placeholder;

/// Collects what the checks find.
pub(crate) struct Findings<'o> {
    origins: &'o Origins,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'o> Findings<'o> {
    pub(crate) fn new(origins: &'o Origins) -> Self {
        Self {
            origins,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The value at this path must change.
    pub(crate) fn refuse(&mut self, path: &str, what: &str, remedy: &str) {
        let problem = self.problem(path, what, remedy);
        self.problems.push(problem);
    }

    /// The value at this path is allowed and probably not meant.
    pub(crate) fn warn(&mut self, path: &str, what: &str, remedy: &str) {
        let problem = self.problem(path, what, remedy);
        self.warnings.push(problem);
    }

    /// Whether nobody wrote the value at this path: it ships with Hallpass.
    pub(crate) fn is_builtin(&self, path: &str) -> bool {
        *self.origins.exact(path) == Origin::Default
    }

    pub(crate) fn into_parts(mut self) -> (Vec<Problem>, Vec<Problem>) {
        self.warnings.sort();
        (self.problems, self.warnings)
    }

    fn problem(&self, path: &str, what: &str, remedy: &str) -> Problem {
        Problem {
            origin: self.origins.nearest(path).clone(),
            path: path.to_owned(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

/// Checks everything in scope.
pub(crate) fn check(config: &Config, scope: Scope, findings: &mut Findings<'_>) {
    auth::check(&config.auth, scope, findings);
    if scope == Scope::AuthOnly {
        return;
    }
    server::check(&config.server, findings);
    database::check(&config.store, findings);
    store::check(&config.store, findings);
    upstream::check(&config.upstream, findings);
    profile::check(&config.profiles, findings);
    access::check(config, findings);
    audit::check(&config.audit, findings);
    if config.audit.primary == crate::section::TrailPrimary::Postgres {
        audit::check_in_database(config, findings);
    }
    alerts::check(&config.alerts, findings);
    scan::check(&config.scan, findings);
    traces::check(&config.traces, findings);
}

impl crate::load::Loaded {
    /// Whether a server can serve with this: someone can authenticate and mint.
    ///
    /// `store_has_api_keys` is what the key directory answers; it is the only
    /// way in where the file configures no login.
    ///
    /// # Errors
    ///
    /// What is missing, each with its remedy.
    pub fn ready_to_serve(&self, store_has_api_keys: bool) -> Result<(), Problems> {
        let mut findings = Findings::new(&self.origins);
        let by_api_key = self.config.auth.api_keys && store_has_api_keys;
        if !self.config.has_configured_auth() && !by_api_key {
            findings.refuse(
                "auth",
                "nobody could authenticate: no `[[auth.jwt]]`, no `[[auth.session_cookie]]`, and no API key in the store",
                "Add one of the two, or create a key with `hallpass keys create`",
            );
        }
        for (index, _) in self
            .config
            .upstream
            .iter()
            .enumerate()
            .filter(|(_, upstream)| upstream.api_key.is_none())
        {
            findings.refuse(
                &format!("upstream[{index}]"),
                upstream::NO_KEY,
                upstream::SET_KEY,
            );
        }
        Problems::from_list(findings.problems).map_or(Ok(()), Err)
    }
}

/// The first of the names that an earlier one already has, with its index.
fn repeated<'n>(names: impl Iterator<Item = &'n str>) -> Option<(usize, &'n str)> {
    let mut seen = std::collections::BTreeSet::new();
    names.enumerate().find(|(_, name)| !seen.insert(*name))
}
