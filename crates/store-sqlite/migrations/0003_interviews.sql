-- Interviews the app's backend registered. How many grants each got is counted
-- from the registry of grants, which the audit trail restores after a crash.
CREATE TABLE interviews (
    session_id    TEXT PRIMARY KEY,
    subject       TEXT NOT NULL,
    profile       TEXT,
    expires_at    INTEGER NOT NULL,
    max_grants    INTEGER,
    registered_by TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    ended_at      INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX interviews_by_subject ON interviews (subject, registered_at, session_id);
CREATE INDEX interviews_by_time ON interviews (registered_at, session_id);
CREATE INDEX interviews_live ON interviews (expires_at) WHERE ended_at IS NULL;
