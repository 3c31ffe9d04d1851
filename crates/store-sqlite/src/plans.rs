//! How SQLite answers each question: through an index, however many grants
//! there are.

use hallpass_core::{
    Timestamp,
    ids::{CredentialId, GrantId, LineageId, ProfileName, SessionId, Subject},
    ports::GrantFilter,
    revocation::Scope,
};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::{
    Database,
    life::{EXPIRE, FORGET, NEXT_DUE, revoke, still_live, unexpired},
    query::select,
};

/// Grants enough that a scan would be felt.
const GRANTS: u32 = 200_000;

/// A file with many grants of many subjects, one in a thousand alive.
async fn filled() -> (Database, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("hallpass.db"))
        .await
        .unwrap();
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {GRANTS}) \
         INSERT INTO grants (id, lineage, state, subject, credential, profile, session_id, mode, \
         created_at, expires_at, due_at, detail) \
         SELECT randomblob(16), CASE i % 3 WHEN 0 THEN randomblob(16) END, \
         CASE i % 1000 WHEN 0 THEN 0 ELSE 2 END, 'user-' || (i % 5000), 'app', 'interview', \
         'i-' || (i % 7000), 'direct', 1800000000000 + i, 1800000060000 + i, \
         CASE i % 1000 WHEN 0 THEN 1800000060000 + i END, '[]' FROM n"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill))
        .execute(&database.pool)
        .await
        .unwrap();
    (database, dir)
}

async fn plan(database: &Database, sql: &str) -> String {
    let explain = format!("EXPLAIN QUERY PLAN {sql}");
    let mut query = sqlx::query(sqlx::AssertSqlSafe(explain));
    for _ in 0..sql.matches('?').count() {
        query = query.bind(1_800_000_050_000_i64);
    }
    let rows = query.fetch_all(&database.pool).await.unwrap();
    let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
    steps.join("; ")
}

fn text(query: QueryBuilder<Sqlite>) -> String {
    query.into_sql().as_str().to_owned()
}

fn scopes() -> [Scope; 8] {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    [
        Scope::All,
        Scope::Before(at),
        Scope::Grant(GrantId::from_random([1; 16])),
        Scope::Key(CredentialId::new("app").unwrap()),
        Scope::Lineage(LineageId::new("ln_1").unwrap()),
        Scope::Profile(ProfileName::new("interview").unwrap()),
        Scope::Session(SessionId::new("i-1").unwrap()),
        Scope::Subject(Subject::new("user-1").unwrap()),
    ]
}

fn filters() -> [GrantFilter; 5] {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    let all = GrantFilter::default();
    [
        all.clone(),
        GrantFilter {
            subject: Some(Subject::new("user-1").unwrap()),
            ..all.clone()
        },
        GrantFilter {
            session_id: Some(SessionId::new("i-1").unwrap()),
            ..all.clone()
        },
        GrantFilter {
            lineage: Some(LineageId::new("ln_1").unwrap()),
            ..all.clone()
        },
        GrantFilter {
            before: Some((at, GrantId::from_random([1; 16]))),
            ..all
        },
    ]
}

/// No question reads the whole table; a list walks the time index to its limit.
#[tokio::test]
async fn every_question_has_its_index() {
    let (database, _dir) = filled().await;
    let mut questions: Vec<String> = Vec::new();
    questions.push("SELECT detail FROM grants WHERE id = ?".to_owned());
    questions.extend([EXPIRE, NEXT_DUE, FORGET].map(str::to_owned));
    questions.extend(filters().iter().map(|filter| text(select(filter, 50))));
    for scope in scopes() {
        questions.push(text(still_live(&scope, 0)));
        questions.push(text(revoke(&scope, 0)));
        questions.push(text(unexpired(&scope, 0)));
    }
    for sql in questions {
        let plan = plan(&database, &sql).await;
        let steps = plan.split("; ").filter(|step| step.contains("grants"));
        for step in steps {
            let walks = step == "SCAN grants USING INDEX grants_by_time";
            let limited = walks && sql.contains("ORDER BY created_at DESC");
            assert!(limited || !step.starts_with("SCAN"), "{sql}\n{plan}");
        }
    }
}

/// What is due is found without looking at what is not.
#[tokio::test]
async fn due_grants_come_from_their_own_index() {
    let (database, _dir) = filled().await;
    for sql in [EXPIRE, NEXT_DUE] {
        let plan = plan(&database, sql).await;
        assert!(plan.contains("grants_by_due"), "{plan}");
    }
    let entries: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM grants WHERE due_at IS NOT NULL")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(entries, i64::from(GRANTS / 1000));
}
