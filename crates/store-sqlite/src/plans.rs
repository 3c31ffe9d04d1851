//! How SQLite answers each question: through an index, however many grants
//! there are.

use hallpass_core::{
    Timestamp,
    grant::GrantState,
    ids::{CredentialId, GrantId, LineageId, ProfileName, SessionId, Subject},
    ports::GrantFilter,
    revocation::Scope,
};
use sqlx::{QueryBuilder, Row, Sqlite};

use crate::{
    Database,
    life::{EXPIRE, FORGET, NEXT_DUE, revoke, still_live, unexpired},
    query::{select, select_within},
    runs::rows_of,
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
         'i-' || (i % 7000), 'direct', 1800000000000 + i + i * 7919 % 60000, 1800000060000 + i, \
         CASE i % 1000 WHEN 0 THEN 1800000060000 + i END, '[]' FROM n"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill))
        .execute(&database.pool)
        .await
        .unwrap();
    let runs = "INSERT INTO grant_runs SELECT n >> 14, MIN(created_at), MAX(created_at) \
                FROM grants GROUP BY n >> 14";
    sqlx::query(runs).execute(&database.pool).await.unwrap();
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
            session_id: Some(SessionId::new("i-1").unwrap()),
            ..all.clone()
        },
        GrantFilter {
            lineage: Some(LineageId::new("ln_1").unwrap()),
            ..all.clone()
        },
        GrantFilter {
            state: Some((GrantState::Active, at)),
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
        let of_grants = |step: &&str| step.contains("grants") && !step.contains("grant_runs");
        let steps = plan.split("; ").filter(of_grants);
        for step in steps {
            let walks = step == "SCAN grants USING INDEX grants_by_time";
            let limited = walks && sql.contains("ORDER BY created_at DESC");
            assert!(limited || !step.starts_with("SCAN"), "{sql}\n{plan}");
        }
    }
}

/// A subject's grants are found run by run, whatever the order they were
/// written in, and each page of them ends where the next one begins.
#[tokio::test]
async fn a_subjects_grants_come_newest_first_from_all_runs() {
    let (database, _dir) = filled().await;
    let all = "SELECT created_at, id FROM grants WHERE subject = 'user-7' ORDER BY created_at DESC";
    let all = sqlx::query(all).fetch_all(&database.pool).await.unwrap();
    let expected: Vec<i64> = all.iter().map(|row| row.get("created_at")).collect();
    assert_eq!(expected.len(), 40);
    let mut filter = GrantFilter {
        subject: Some(Subject::new("user-7").unwrap()),
        ..GrantFilter::default()
    };
    let mut seen: Vec<i64> = Vec::new();
    loop {
        let page = rows_of(&database.pool, &filter, 7).await.unwrap();
        let page: Vec<(i64, Vec<u8>)> = page
            .iter()
            .take(7)
            .map(|row| (row.get("created_at"), row.get("id")))
            .collect();
        seen.extend(page.iter().map(|(created, _)| created));
        let Some((created, id)) = page.last().filter(|_| page.len() == 7) else {
            break;
        };
        let id = GrantId::new(crate::packed::unpack("gr_", id).unwrap()).unwrap();
        filter.before = Some((Timestamp::from_millisecond(*created).unwrap(), id));
    }
    assert_eq!(seen, expected);
    let within = plan(&database, &text(select_within(&filter, Some(3), 7))).await;
    assert!(
        within.contains("grants_by_subject (<expr>=? AND subject=?"),
        "{within}"
    );
    let scope = Scope::Subject(Subject::new("user-7").unwrap());
    for question in [
        still_live(&scope, 0),
        revoke(&scope, 0),
        unexpired(&scope, 0),
    ] {
        let plan = plan(&database, &text(question)).await;
        assert!(
            plan.contains("grants_by_subject (<expr>=? AND subject=?"),
            "{plan}"
        );
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
