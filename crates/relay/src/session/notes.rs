//! What a session did that the trail wants to know.

use hallpass_core::{audit::Action, pipeline::Opened};

/// Records of refused events a session writes; the rest are only counted.
const MAX_RECORDS: u32 = 8;

/// Counts what was refused and set back.
#[derive(Debug, Default)]
pub(super) struct Notes {
    refused: u32,
    set_back: u32,
    upstream_close: Option<u16>,
    cause: Option<String>,
}

impl Notes {
    pub(super) fn refused(&mut self, opened: &Opened, why: &'static str) {
        self.refused = self.refused.saturating_add(1);
        if self.refused <= MAX_RECORDS {
            opened.note(Action::SessionGuard, vec![("refused", why.to_owned())]);
        }
    }

    pub(super) fn set_back(&mut self, opened: &Opened, members: &[String]) {
        self.set_back = self.set_back.saturating_add(1);
        if self.set_back <= MAX_RECORDS {
            let members: Vec<String> = members
                .iter()
                .take(20)
                .map(|member| hallpass_core::request::clean(member, 100))
                .collect();
            opened.note(Action::SessionGuard, vec![("set_back", members.join(" "))]);
        }
    }

    pub(super) const fn upstream_closed(&mut self, code: Option<u16>) {
        self.upstream_close = code;
    }

    pub(super) fn cause(&mut self, cause: String) {
        self.cause.get_or_insert(cause);
    }

    /// What the record of the end says.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("events_refused", self.refused.to_string()),
            ("events_set_back", self.set_back.to_string()),
        ];
        let code = self.upstream_close;
        facts.extend(code.map(|code| ("upstream_close_code", code.to_string())));
        facts.extend(self.cause.clone().map(|cause| ("cause", cause)));
        facts
    }
}
