//! Asking the database: within a time, and again where it was only away.

use std::time::Duration;

use futures_util::TryStreamExt;
use hallpass_core::ports::StoreError;
use sqlx::{Either, Error, Executor, Postgres, pool::PoolConnection, postgres::PgRow};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    database::Database,
    statement::{Rows, Statement},
};

/// The wait before the first try after a failure, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));
/// How much longer than its own timeout a statement's answer may take.
const ON_THE_WAY: Duration = Duration::from_millis(500);

/// What a statement gave.
pub(crate) struct Answer {
    pub(crate) rows: Rows,
    pub(crate) affected: u64,
}

/// Why there is no answer.
enum Failure {
    /// It was surely not done: there was no connection, or two writers met and
    /// this one gave way.
    Undone(Error),
    /// It was sent; whether it was done is not known.
    Unknown(Error),
    /// The database said no.
    Refused(Error),
}

impl Database {
    /// The rows a statement gives.
    pub(crate) async fn rows(&self, statement: Statement) -> Result<Rows, StoreError> {
        Ok(self.ask(statement).await?.rows)
    }

    /// The first row a statement gives.
    pub(crate) async fn row(&self, statement: Statement) -> Result<Option<PgRow>, StoreError> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub(crate) async fn execute(&self, statement: Statement) -> Result<u64, StoreError> {
        Ok(self.ask(statement).await?.affected)
    }

    /// Asks until there is an answer, or patience is at its end.
    pub(crate) async fn ask(&self, statement: Statement) -> Result<Answer, StoreError> {
        let deadline = Instant::now() + self.limits.patience;
        let mut wait = WAITS.0;
        loop {
            let error = match self.once(&statement, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Refused(error)) => return Err(store_error(&error)),
                Err(Failure::Unknown(error)) if !statement.may_be_repeated() => {
                    return Err(store_error(&error));
                }
                Err(Failure::Unknown(error) | Failure::Undone(error)) => error,
            };
            if Instant::now() + wait >= deadline {
                return Err(store_error(&error));
            }
            tracing::debug!(%error, "PostgreSQL is away; asking again");
            sleep(wait).await;
            wait = (wait * 2).min(WAITS.1);
        }
    }

    async fn once(&self, statement: &Statement, deadline: Instant) -> Result<Answer, Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        let acquired = timeout(left, self.pool.acquire()).await;
        let mut connection = match acquired {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) if is_passing(&error) => return Err(Failure::Undone(error)),
            Ok(Err(error)) => return Err(Failure::Refused(error)),
            Err(_) => return Err(Failure::Undone(Error::PoolTimedOut)),
        };
        let longest = self.limits.statement_timeout + ON_THE_WAY;
        let answered = timeout(longest, fetch(statement, &mut connection)).await;
        match answered {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if is_undone(&error) => Err(Failure::Undone(error)),
            Ok(Err(error)) if is_passing(&error) => {
                drop(connection.detach());
                Err(Failure::Unknown(error))
            }
            Ok(Err(error)) => Err(Failure::Refused(error)),
            Err(_) => {
                // Whoever does not answer may be gone without a word: another
                // connection, not this one's turn again.
                drop(connection.detach());
                Err(Failure::Unknown(Error::PoolTimedOut))
            }
        }
    }
}

async fn fetch(
    statement: &Statement,
    connection: &mut PoolConnection<Postgres>,
) -> Result<Answer, Error> {
    let (mut rows, mut affected) = (Rows::new(), 0);
    let mut stream = (&mut **connection).fetch_many(statement.query()?);
    while let Some(step) = stream.try_next().await? {
        match step {
            Either::Left(done) => affected += done.rows_affected(),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(Answer { rows, affected })
}

/// Whether two writers met and the database undid this one.
fn is_undone(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|refused| refused.code());
    code.is_some_and(|code| ["40001", "40P01"].contains(&&*code))
}

/// Whether it may go by itself: the connection broke, or the server is
/// starting, stopping, full, or read only after a failover.
pub(crate) fn is_passing(error: &Error) -> bool {
    const PASSING: [&str; 6] = ["25006", "53300", "57P01", "57P02", "57P03", "57P05"];
    match error {
        Error::Io(_) | Error::PoolTimedOut | Error::WorkerCrashed | Error::Protocol(_) => true,
        Error::Database(refused) => refused
            .code()
            .is_some_and(|code| code.starts_with("08") || PASSING.contains(&&*code)),
        _ => false,
    }
}

/// What the core is told when PostgreSQL refuses.
pub(crate) fn store_error(error: &Error) -> StoreError {
    StoreError(match error {
        Error::PoolTimedOut => "PostgreSQL does not answer, or all connections are in use; see store.postgres in the configuration".to_owned(),
        error => format!("PostgreSQL: {error}"),
    })
}
