//! Records to rows and back, many in one statement.

use hallpass_core::{
    Timestamp,
    copy::{Kind, Record},
    pass::PassRecord,
    ports::StoreError,
};
use serde_json::{Map, Value, json};
use sqlx::postgres::PgRow;

use crate::{
    calls::call,
    feed::NEXT_REVISION,
    grant_rows,
    interviews::standing,
    keys::key,
    revocations::revocation,
    rows::{get, hash, id, time, whole},
    statement::{Statement, storable},
    usage::columns as usage,
};

/// The columns a kind is written by, and their types.
fn columns(kind: Kind) -> &'static str {
    match kind {
        Kind::Keys => {
            "id text, kind text, name text, hash text, roles text, networks text, \
             created_at bigint, expires_at bigint, revoked_at bigint, last_used_at bigint, \
             replaced_by text"
        }
        Kind::Revocations => {
            "id text, kind text, target text, reason text, created_at bigint, created_by text, \
             lifted_at bigint, lifted_by text"
        }
        Kind::Interviews => {
            "session_id text, subject text, profile text, expires_at bigint, max_grants bigint, \
             registered_by text, registered_at bigint, ended_at bigint, issued bigint"
        }
        Kind::Passes => {
            "id text, hash text, role text, session text, expires_at bigint, spent_by text"
        }
        Kind::Calls => {
            "call_id text, session text, grant_id text, upstream text, key_mark text, \
             ends_at bigint, terms text"
        }
        Kind::Usage => {
            "hour text, session text, subject text, role text, profile text, mode text, \
             model text, source text, responses bigint, transcriptions bigint, input_text bigint, \
             input_audio bigint, input_image bigint, cached_text bigint, cached_audio bigint, \
             cached_image bigint, output_text bigint, output_audio bigint, \
             transcribed_ms bigint, live_ms bigint, cost bigint, unpriced bigint"
        }
        // These have arrays of their own.
        Kind::Grants => "",
    }
}

/// Inserts records of a kind; one that is there stays as it is.
pub(super) fn insert(kind: Kind, records: &[Record]) -> Statement {
    let typed = columns(kind);
    let names = typed
        .split(", ")
        .filter_map(|column| column.split(' ').next());
    let names: Vec<&str> = names.collect();
    let into = names.join(", ");
    let values: Vec<&str> = names
        .iter()
        .map(|name| match *name {
            "hash" => "decode(hash, 'hex')",
            name => name,
        })
        .collect();
    let values = values.join(", ");
    let table = super::table(kind);
    let from = format!("json_to_recordset($1::text::json) AS given ({typed})");
    // Keys and revocations are followed by their revisions.
    let text = match kind {
        Kind::Keys | Kind::Revocations => format!(
            "{NEXT_REVISION} INSERT INTO {table} ({into}, revision) \
             SELECT {values}, turn.value FROM turn, {from} ON CONFLICT DO NOTHING"
        ),
        _ => format!(
            "INSERT INTO {table} ({into}) SELECT {values} FROM {from} ON CONFLICT DO NOTHING"
        ),
    };
    let rows: Vec<Value> = records.iter().map(row).collect();
    Statement::new(text).bind(Value::from(rows).to_string())
}

fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A record as a JSON object of its columns.
fn row(record: &Record) -> Value {
    match record {
        Record::Key(it) => json!({
            "id": it.id, "kind": it.kind.to_string(), "name": it.name, "hash": it.hash.to_hex(),
            "roles": json!(it.roles).to_string(), "networks": json!(it.networks).to_string(),
            "created_at": millis(it.created_at), "expires_at": it.expires_at.map(millis),
            "revoked_at": it.revoked_at.map(millis),
            "last_used_at": it.last_used_at.map(millis), "replaced_by": it.replaced_by,
        }),
        Record::Revocation(it) => json!({
            "id": it.id, "kind": it.scope.kind().to_string(), "target": it.scope.target(),
            "reason": it.reason.as_deref().map(storable), "created_at": millis(it.created_at),
            "created_by": it.created_by, "lifted_at": it.lifted.as_ref().map(|end| millis(end.at)),
            "lifted_by": it.lifted.as_ref().map(|end| &end.by),
        }),
        Record::Interview(standing) => {
            let it = &standing.interview;
            json!({
                "session_id": it.session_id, "subject": it.subject, "profile": it.profile,
                "expires_at": millis(it.expires_at), "max_grants": it.max_grants,
                "registered_by": it.registered_by, "registered_at": millis(it.registered_at),
                "ended_at": it.ended_at.map(millis), "issued": standing.issued,
            })
        }
        Record::Grant(grant) => json!(grant),
        Record::Pass(it, spent) => json!({
            "id": it.grant, "hash": it.hash.to_hex(), "role": it.role, "session": it.session,
            "expires_at": millis(it.expires_at), "spent_by": spent.then_some("before the copy"),
        }),
        Record::Call(it) => json!({
            "call_id": it.place.call_id, "session": it.session, "grant_id": it.grant,
            "upstream": &*it.place.upstream, "key_mark": &*it.place.key,
            "ends_at": millis(it.ends_at),
            "terms": it.terms.as_ref().map(|terms| json!(terms).to_string()),
        }),
        Record::Usage(key, used) => {
            let mut row = Map::new();
            let texts = [
                key.hour.to_string(),
                storable(&key.session),
                key.subject.to_string(),
                key.role.to_string(),
                key.profile.to_string(),
                usage::mode(key).to_owned(),
                storable(&key.model),
                key.source.to_string(),
            ];
            let texts = usage::KEYS.iter().zip(texts);
            row.extend(texts.map(|(name, text)| ((*name).to_owned(), Value::from(text))));
            let counts = usage::COUNTS.iter().zip(usage::counts(used));
            row.extend(counts.map(|(name, count)| ((*name).to_owned(), json!(whole(count)))));
            Value::Object(row)
        }
    }
}

/// Makes the sums of usage anew, from what there is.
pub(super) fn sum_usage() -> Statement {
    let counted = usage::COUNTS.join(", ");
    let taken = usage::COUNTS.map(|count| format!("{count} = excluded.{count}"));
    Statement::new(format!(
        "INSERT INTO usage_sums (day, kind, account, {counted}) \
         SELECT day, kind, account, {sums} FROM \
         (SELECT left(hour, 10) AS day, 'subject' AS kind, subject AS account, {counted} \
          FROM usage_hours WHERE source = 'measured' \
          UNION ALL SELECT left(hour, 10), 'role', role, {counted} \
          FROM usage_hours WHERE source = 'measured') \
         AS accounts GROUP BY day, kind, account \
         ON CONFLICT (day, kind, account) DO UPDATE SET {taken}",
        sums = usage::sums(),
        taken = taken.join(", "),
    ))
}

/// A row as a record.
pub(super) fn record(kind: Kind, row: &PgRow) -> Result<Record, StoreError> {
    Ok(match kind {
        Kind::Keys => Record::Key(key(row)?),
        Kind::Revocations => Record::Revocation(revocation(row)?),
        Kind::Interviews => Record::Interview(standing(row)?),
        Kind::Grants => Record::Grant(Box::new(grant_rows::grant(row)?)),
        Kind::Passes => {
            let spent: Option<String> = get(row, "spent_by")?;
            let pass = PassRecord {
                grant: id(row, "id")?,
                hash: hash(row, "hash")?,
                role: id(row, "role")?,
                session: get(row, "session")?,
                expires_at: time(row, "expires_at")?,
            };
            Record::Pass(pass, spent.is_some())
        }
        Kind::Calls => Record::Call(call(row)?),
        Kind::Usage => Record::Usage(usage::key(row)?, usage::usage(row)?),
    })
}
