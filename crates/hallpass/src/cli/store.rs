//! `hallpass store`: move what lasts to another store.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use hallpass_core::copy::{Giver, Kind, Sum, Taker, sum};
use hallpass_store_postgres::{PgSettings, PgTaker};
use hallpass_store_sqlite::SqliteGiver;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::{ExposeSecret, SecretString};
use strum::IntoEnumIterator;

use super::{Stop, block_on, say, table};

/// Move what lasts to another store
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Copy every key, grant, revocation, interview, pass, call and day of usage
    /// from a SQLite file into an empty PostgreSQL database, and compare
    ///
    /// The server must be stopped. A copy that was cut short goes on where it
    /// was when it is asked for again.
    #[command(
        after_help = "Example:\n  HALLPASS_STORE_DURABLE=postgres://… hallpass store copy --from sqlite:/var/lib/hallpass/hallpass.db\n\nThe trail stays where it is: keep the data directory, with its install.key."
    )]
    Copy(Copy),
}

/// `store copy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Copy {
    /// The file: sqlite:PATH
    #[arg(long, value_name = "sqlite:PATH", value_parser = file)]
    from: PathBuf,
    /// The database; better in the environment than here
    #[arg(long, value_name = "postgres://…", env = "HALLPASS_STORE_DURABLE", hide_env_values = true, value_parser = address)]
    to: SecretString,
}

fn file(text: &str) -> Result<PathBuf, &'static str> {
    let path = text.strip_prefix("sqlite:");
    path.map(PathBuf::from)
        .ok_or("write sqlite: and the file's path")
}

fn address(text: &str) -> Result<SecretString, &'static str> {
    let is_postgres = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    // The text may hold a password, so it is not repeated.
    is_postgres
        .then(|| SecretString::from(text))
        .ok_or("write an address such as postgres://user@host/database")
}

impl Store {
    pub(crate) fn run(self) -> Result<(), Stop> {
        let Self::Copy(copy) = self;
        block_on(copy.run())
    }
}

impl Copy {
    async fn run(self) -> Result<(), Stop> {
        let from = existing(&self.from)?;
        let file = hallpass_store_sqlite::Database::open(&from).await?;
        let settings = PgSettings::new(self.to.expose_secret().to_owned().into());
        let database = hallpass_store_postgres::Database::connect(settings).await?;
        database.migrate().await?;
        let copying = Copying {
            from: SqliteGiver::new(file.clone()),
            to: PgTaker::new(database.clone()),
            name: from.display().to_string(),
        };
        let copied = copying.all().await;
        file.close().await;
        database.close().await;
        show(&copied?);
        Ok(())
    }
}

/// A file that is there and that no server writes.
fn existing(path: &Path) -> Result<PathBuf, Stop> {
    let path = path
        .canonicalize()
        .map_err(|error| Stop::usage(format!("can't read {}: {error}", path.display())))?;
    let trail = path.with_file_name("audit");
    if hallpass_audit::is_held(&trail) {
        return Err(Stop::usage(format!(
            "a server runs on {}: stop it first, what it still has in memory would be missed",
            path.display()
        )));
    }
    Ok(path)
}

/// A copy under way.
struct Copying {
    from: SqliteGiver,
    to: PgTaker,
    /// Under which it goes on when it was cut short.
    name: String,
}

impl Copying {
    /// Copies everything and compares it.
    async fn all(&self) -> Result<Vec<(Kind, Sum)>, Stop> {
        self.may_begin().await?;
        for kind in Kind::iter() {
            self.copy(kind).await?;
        }
        let mut sums = Vec::new();
        for kind in Kind::iter() {
            sums.push((kind, self.compare(kind).await?));
        }
        self.to.finish(&self.name).await?;
        Ok(sums)
    }

    /// Refuses a database that has records which this copy did not bring.
    async fn may_begin(&self) -> Result<(), Stop> {
        for kind in Kind::iter() {
            if self.to.mark(&self.name, kind).await?.is_some() {
                return Ok(());
            }
        }
        for kind in Kind::iter() {
            let there = self.to.count(kind).await?;
            if there > 0 {
                return Err(Stop::usage(format!(
                    "the database is not empty: it has {there} {kind}. Copy into an empty one; a copy that was cut short goes on by itself."
                )));
            }
        }
        Ok(())
    }

    async fn copy(&self, kind: Kind) -> Result<(), Stop> {
        let bar = bar(kind, "copying", self.from.count(kind).await?);
        let mut after = self
            .to
            .mark(&self.name, kind)
            .await?
            .filter(|mark| !mark.is_empty());
        if after.is_some() {
            bar.inc(self.to.count(kind).await?);
        }
        loop {
            let page = self.from.page(kind, after.as_deref()).await?;
            // The last page's mark stays what it was: it is read once more.
            let mark = page
                .next
                .as_deref()
                .or(after.as_deref())
                .unwrap_or_default();
            self.to.take(&page.records, &self.name, kind, mark).await?;
            bar.inc(u64::try_from(page.records.len()).unwrap_or(0));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn compare(&self, kind: Kind) -> Result<Sum, Stop> {
        let bar = bar(kind, "comparing", self.from.count(kind).await? * 2);
        let ours = sum(&self.from, kind, |seen| bar.set_position(seen)).await?;
        let theirs = sum(&self.to, kind, |seen| bar.set_position(ours.count + seen)).await?;
        bar.finish_and_clear();
        if ours == theirs {
            return Ok(ours);
        }
        Err(Stop::no(format!(
            "the {kind} differ: {} with digest {ours} in the file, {} with digest {theirs} in the database. Something else writes one of the two; empty the database and copy again.",
            ours.count, theirs.count
        )))
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar(kind: Kind, doing: &str, length: u64) -> ProgressBar {
    const STYLE: &str = "{msg:24} [{bar:40}] {human_pos}/{human_len} {per_sec} {eta}";
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(format!("{doing} {kind}"));
    bar
}

fn show(sums: &[(Kind, Sum)]) {
    let rows = sums.iter().map(|(kind, sum)| {
        let digest = sum.to_string();
        [kind.to_string(), sum.count.to_string(), digest]
    });
    say(table(
        ["records", "copied", "digest, the same in both"],
        rows,
    ));
}
