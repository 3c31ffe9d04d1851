//! The secrets the upstream gave out, and which of them came back.
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context, Result, ensure};
use memchr::memmem;

const DIGITS: usize = 16;

/// Numbers every secret, so that a lost or doubled answer shows.
pub(crate) struct Ledger {
    /// What every secret of this run begins with, with the quote before it.
    prefix: String,
    finder: memmem::Finder<'static>,
    issued: AtomicU64,
    returned: Mutex<Vec<u64>>,
}

impl Ledger {
    /// Opens the ledger of a run, told apart from others by its number.
    pub(crate) fn new(run: u64) -> Self {
        let prefix = format!("\"ek_{run:016x}");
        Self {
            finder: memmem::Finder::new(&prefix).into_owned(),
            prefix,
            issued: AtomicU64::new(0),
            returned: Mutex::new(Vec::new()),
        }
    }

    /// A secret nobody got before, shaped as OpenAI's.
    pub(crate) fn issue(&self) -> String {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        format!("{}{number:016x}", &self.prefix[1..])
    }

    /// Finds the secret in an answer and refuses one that came before.
    pub(crate) fn take(&self, body: &[u8]) -> Result<()> {
        let at = self.finder.find(body).context("no secret of this run")? + self.prefix.len();
        let digits = body.get(at..at + DIGITS).context("a secret cut short")?;
        let number = u64::from_str_radix(std::str::from_utf8(digits)?, 16)?;
        let issued = self.issued.load(Ordering::Relaxed);
        ensure!(number < issued, "a secret the upstream never gave out");
        ensure!(self.mark(number)?, "a secret that was given out before");
        Ok(())
    }

    /// Whether the number had not been marked yet.
    fn mark(&self, number: u64) -> Result<bool> {
        let word = usize::try_from(number / 64)?;
        let bit = 1 << (number % 64);
        let mut returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner);
        if returned.len() <= word {
            returned.resize(word + 1, 0);
        }
        let fresh = returned[word] & bit == 0;
        returned[word] |= bit;
        Ok(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(value: &str) -> Vec<u8> {
        format!(r#"{{"id":"1","value":"{value}","expires_at":1}}"#).into_bytes()
    }

    #[test]
    fn each_secret_is_taken_once() {
        let ledger = Ledger::new(7);
        let secrets: Vec<_> = (0..200).map(|_| ledger.issue()).collect();

        for secret in secrets.iter().rev() {
            ledger.take(&answer(secret)).expect("its first time");
        }

        let again = ledger.take(&answer(&secrets[100])).expect_err("doubled");
        assert!(again.to_string().contains("before"), "{again}");
    }

    #[test]
    fn a_secret_looks_like_openais() {
        let secret = Ledger::new(7).issue();

        assert_eq!(secret.len(), "ek_68af296e8e408191a1120ab6383263c2".len());
        assert!(secret.starts_with("ek_"));
    }

    #[test]
    fn foreign_and_unissued_secrets_are_refused() {
        let ledger = Ledger::new(7);
        let foreign = Ledger::new(8).issue();
        let unissued = ledger
            .issue()
            .replace("0000000000000000", "00000000000000ff");

        assert!(ledger.take(&answer(&foreign)).is_err());
        assert!(ledger.take(&answer(&unissued)).is_err());
        assert!(ledger.take(b"{}").is_err());
        assert!(ledger.take(b"\"ek_00000000000000070000").is_err());
    }
}
