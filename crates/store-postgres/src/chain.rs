//! The trail of one replica whose records are durable here and nowhere else.

use hallpass_core::ports::StoreError;
use sqlx::postgres::PgRow;

use crate::{
    database::Database,
    replica::{Replica, ReplicaName},
    rows::{damaged, get, number, whole},
    statement::Statement,
    trail::{PgTrail, TrailRecord, columns},
};

/// Where a trail stands: hashes in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// The trail's own id.
    pub uid: String,
    /// How many records it has.
    pub records: u64,
    /// The hash of the last of them; none where it has none.
    pub head: Option<String>,
    /// The roots of the whole subtrees over all of them, largest first.
    pub peaks: Vec<String>,
}

/// Why a trail can't be gone on with here.
#[derive(Debug, thiserror::Error)]
pub enum TakeChainError {
    /// Its records were copied here from files, which are the truth.
    #[error(
        "the database has records of replica {0:?} that were copied from its files; with audit.primary = \"postgres\" its trail would begin anew under the same name. Set server.replica to another name."
    )]
    Copied(String),
    /// The database can't be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why records are not durable.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another process writes this trail by now.
    #[error("another process goes by the name {0:?} and writes this trail")]
    Fenced(String),
    /// The database is away; whether they are durable is not known.
    #[error(transparent)]
    Away(StoreError),
}

/// The right to add to one replica's trail, until another process takes it.
pub struct PgChain {
    trail: PgTrail,
    database: Database,
    replica: ReplicaName,
    incarnation: String,
}

impl PgChain {
    /// Takes the trail of a replica's name over from the process before; a new
    /// one begins under the id that is given. From the moment this returns no
    /// earlier process adds to it.
    ///
    /// # Errors
    ///
    /// [`TakeChainError`] where the name has records of another kind, or the
    /// database can't be asked.
    pub async fn take(
        database: Database,
        replica: &Replica,
        new_uid: &str,
    ) -> Result<(Self, ChainState), TakeChainError> {
        let name = replica.name();
        let copied = Statement::new(
            "SELECT 1 FROM audit_records WHERE replica = $1 AND NOT EXISTS \
             (SELECT 1 FROM audit_chains WHERE replica = $1) LIMIT 1",
        );
        if database.row(copied.bind(name.as_str())).await?.is_some() {
            return Err(TakeChainError::Copied(name.to_string()));
        }
        // The row's lock lets an append that is under way end first.
        let take = Statement::new(
            "INSERT INTO audit_chains (replica, uid, incarnation) VALUES ($1, $2, $3) \
             ON CONFLICT (replica) DO UPDATE SET incarnation = excluded.incarnation RETURNING *",
        );
        let take = take.bind(name.as_str()).bind(new_uid);
        let taken = database.row(take.bind(replica.incarnation())).await?;
        let row = taken.ok_or_else(|| StoreError("the trail's place was not kept".to_owned()))?;
        let chain = Self {
            trail: PgTrail::new(database.clone(), name.clone()),
            database,
            replica: name.clone(),
            incarnation: replica.incarnation().to_owned(),
        };
        Ok((chain, state(&row)?))
    }

    /// Adds records, all or none, to a trail that ends with a hash; asked twice
    /// they are there once.
    ///
    /// # Errors
    ///
    /// [`AppendError`] says whether asking again may help.
    pub async fn append(
        &self,
        records: &[TrailRecord],
        before: Option<&str>,
        after: &ChainState,
    ) -> Result<(), AppendError> {
        let away = AppendError::Away;
        self.trail.see_to_days(records).await.map_err(away)?;
        let peaks = crate::rows::list_text(&after.peaks).map_err(away)?;
        let append = Statement::new(format!(
            "WITH turn AS (UPDATE audit_chains SET records = $12, head = $13, peaks = $14 \
               WHERE replica = $1 AND incarnation = $15 \
               AND (head IS NOT DISTINCT FROM $16 OR head = $13) RETURNING 1), \
             kept AS (INSERT INTO audit_records ({}) SELECT $1, fresh.* FROM {} AS fresh, turn \
               ON CONFLICT (replica, sequence, time) DO NOTHING) \
             SELECT 1 AS done FROM turn",
            columns::NAMES,
            columns::ARRAYS,
        ));
        let append = columns::bind(append.bind(self.replica.as_str()), records)
            .bind(whole(after.records))
            .bind(after.head.clone())
            .bind(peaks)
            .bind(self.incarnation.as_str())
            .bind(before.map(str::to_owned));
        match self.database.row(append).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(AppendError::Fenced(self.replica.to_string())),
            Err(error) => Err(away(error)),
        }
    }
}

impl PgTrail {
    /// Keeps a signed checkpoint of this replica's trail.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be written.
    pub async fn keep_checkpoint(&self, checkpoint: &KeptCheckpoint) -> Result<(), StoreError> {
        let keep = Statement::new(
            "INSERT INTO audit_checkpoints (replica, records, time, note, public_key) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        );
        let keep = keep
            .bind(self.replica.as_str())
            .bind(whole(checkpoint.records))
            .bind(checkpoint.time.as_millisecond())
            .bind(checkpoint.note.as_str())
            .bind(checkpoint.public_key.as_str());
        self.database.execute(keep).await.map(drop)
    }
}

fn state(row: &PgRow) -> Result<ChainState, StoreError> {
    let peaks: String = get(row, "peaks")?;
    Ok(ChainState {
        uid: get(row, "uid")?,
        records: number(row, "records")?,
        head: get(row, "head")?,
        peaks: serde_json::from_str(&peaks).map_err(|error| damaged("peaks", error))?,
    })
}

/// A signed checkpoint of a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// How many records it states.
    pub records: u64,
    /// When it was made.
    pub time: hallpass_core::Timestamp,
    /// The signed note.
    pub note: String,
    /// The key it is checked with, as text.
    pub public_key: String,
}

/// What is known of one replica's trail beside its records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainEvidence {
    /// Where it stands; none of one whose files are the truth.
    pub state: Option<ChainState>,
    /// The number and the hash of the last record that was dropped by age.
    pub joint: Option<(u64, String)>,
    /// Its checkpoints, the oldest first.
    pub checkpoints: Vec<KeptCheckpoint>,
}

impl Database {
    /// The replicas that have records here.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn trail_replicas(&self) -> Result<Vec<String>, StoreError> {
        let asked = Statement::new(
            "SELECT replica FROM audit_records UNION SELECT replica FROM audit_chains ORDER BY 1",
        );
        let rows = self.rows(asked).await?;
        rows.iter().map(|row| get(row, "replica")).collect()
    }

    /// Lines of one replica's trail in their order, after a place in it: by
    /// number, and of one number by time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn trail_lines(
        &self,
        replica: &str,
        after: Option<(u64, i64)>,
        most: usize,
    ) -> Result<Vec<(u64, i64, String)>, StoreError> {
        let (sequence, time) =
            after.map_or((-1, i64::MAX), |(sequence, time)| (whole(sequence), time));
        let asked = Statement::new(
            "SELECT sequence, time, line FROM audit_records WHERE replica = $1 \
             AND (sequence, time) > ($2, $3) ORDER BY sequence, time LIMIT $4",
        );
        let asked = asked.bind(replica).bind(sequence).bind(time);
        let rows = self.rows(asked.bind(crate::rows::limit(most))).await?;
        let line = |row| {
            Ok((
                number(row, "sequence")?,
                get(row, "time")?,
                get(row, "line")?,
            ))
        };
        rows.iter().map(line).collect()
    }

    /// What is known of a replica's trail beside its records.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn trail_evidence(&self, replica: &str) -> Result<ChainEvidence, StoreError> {
        let of = |text: &str| Statement::new(text).bind(replica);
        let row = self
            .row(of("SELECT * FROM audit_chains WHERE replica = $1"))
            .await?;
        let joint =
            of("SELECT * FROM audit_joints WHERE replica = $1 ORDER BY sequence DESC LIMIT 1");
        let joint = self.row(joint).await?;
        let signed = of("SELECT * FROM audit_checkpoints WHERE replica = $1 ORDER BY records");
        let signed = self.rows(signed).await?;
        Ok(ChainEvidence {
            state: row.as_ref().map(state).transpose()?,
            joint: joint
                .map(|row| Ok::<_, StoreError>((number(&row, "sequence")?, get(&row, "hash")?)))
                .transpose()?,
            checkpoints: signed.iter().map(checkpoint).collect::<Result<_, _>>()?,
        })
    }

    /// The last lines of one replica's trail, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn last_trail_lines(
        &self,
        replica: &str,
        most: usize,
    ) -> Result<Vec<String>, StoreError> {
        let asked = Statement::new(
            "SELECT line FROM (SELECT sequence, line FROM audit_records WHERE replica = $1 \
             ORDER BY sequence DESC LIMIT $2) AS last ORDER BY sequence",
        );
        let rows = self
            .rows(asked.bind(replica).bind(crate::rows::limit(most)))
            .await?;
        rows.iter().map(|row| get(row, "line")).collect()
    }

    /// Whether a replica's trail is at home here, and not in its files.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn has_chain(&self, replica: &ReplicaName) -> Result<bool, StoreError> {
        let asked = Statement::new("SELECT 1 FROM audit_chains WHERE replica = $1");
        Ok(self.row(asked.bind(replica.as_str())).await?.is_some())
    }

    /// What a commit waits for: `on`, or something stronger.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn commits_by(&self) -> Result<String, StoreError> {
        let asked = Statement::new("SELECT current_setting('synchronous_commit') AS waits");
        let row = self.row(asked).await?;
        row.map_or(Ok(String::new()), |row| get(&row, "waits"))
    }

    /// Whether the server writes to its disk before it says that it has.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be asked.
    pub async fn syncs(&self) -> Result<bool, StoreError> {
        let row = self
            .row(Statement::new("SELECT current_setting('fsync') AS fsync"))
            .await?;
        let fsync: Option<String> = row.as_ref().map(|row| get(row, "fsync")).transpose()?;
        Ok(fsync.as_deref() == Some("on"))
    }
}

fn checkpoint(row: &PgRow) -> Result<KeptCheckpoint, StoreError> {
    Ok(KeptCheckpoint {
        records: number(row, "records")?,
        time: crate::rows::time(row, "time")?,
        note: get(row, "note")?,
        public_key: get(row, "public_key")?,
    })
}
