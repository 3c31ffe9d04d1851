//! A find as it is reported: where and what, and never the secret.

use aws_lc_rs::digest;
use serde::Serialize;

use crate::{decode::Encoding, detector::Leak, forms::PREFIXES, position::Position, rule::Rule};

/// A credential that stands where it must not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub rule: Rule,
    /// File, address, or place within an archive (`app.zip!/index.js`).
    pub path: String,
    /// Where in that file.
    #[serde(flatten)]
    pub position: Position,
    /// Where it was written, by the source map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// The git object that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitObject>,
    /// How it was written, from the outside in; empty when plainly.
    pub encodings: Vec<Encoding>,
    /// The name under which the deployment gave its keyed hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_as: Option<String>,
    /// The prefix that names its kind, and the last four characters.
    pub redacted: String,
    /// Characters of the secret.
    pub length: usize,
    /// The same for the same secret wherever it stands.
    pub fingerprint: String,
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Original {
    /// The source's name in the map.
    pub path: String,
    /// Where in that source.
    #[serde(flatten)]
    pub position: Position,
}

/// An object of a git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GitObject {
    /// Its id.
    pub object: String,
    /// A commit that has it; none when no commit reaches it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

impl Finding {
    pub(crate) fn new(leak: &Leak, path: &str, position: Position) -> Self {
        Self {
            rule: leak.rule,
            path: path.to_owned(),
            position,
            original: None,
            git: None,
            encodings: leak.encodings.clone(),
            known_as: leak.known_as.clone(),
            redacted: redacted(leak),
            length: leak.secret.len(),
            fingerprint: leak.fingerprint(),
        }
    }
}

impl Leak {
    /// The secret itself: to recognise one's own, never to be shown or kept.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The same for the same secret: half of a SHA-256, which says nothing
    /// about a secret that can't be guessed.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"hallpass scan 1\0");
        context.update(&self.secret);
        let hash = context.finish();
        hash.as_ref()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

fn redacted(leak: &Leak) -> String {
    let text = String::from_utf8_lossy(&leak.secret);
    if leak.rule == Rule::PublicKeyName {
        return text.into_owned();
    }
    let named = PREFIXES.iter().map(|(prefix, _)| *prefix);
    let others: [&[u8]; 5] = [b"ek_hp_", b"hp_svc_", b"hp_adm_", b"ek_", b"sk-"];
    let prefix = named
        .chain(others)
        .find(|prefix| leak.secret.starts_with(prefix))
        .unwrap_or_default();
    let last = leak.secret.len().saturating_sub(4);
    let last4 = if leak.secret.len() < 16 {
        ""
    } else {
        text.get(last..).unwrap_or("")
    };
    format!("{}…{last4}", String::from_utf8_lossy(prefix))
}
