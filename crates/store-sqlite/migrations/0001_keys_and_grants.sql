-- Times are milliseconds since 1970 (UTC). Lists are JSON arrays of strings.
CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL,
    name         TEXT NOT NULL,
    hash         BLOB NOT NULL,
    roles        TEXT NOT NULL,
    networks     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER,
    replaced_by  TEXT
) STRICT;

CREATE TABLE grants (
    id                  TEXT PRIMARY KEY,
    lineage             TEXT NOT NULL,
    state               TEXT NOT NULL,
    subject             TEXT NOT NULL,
    credential          TEXT NOT NULL,
    profile             TEXT NOT NULL,
    session_id          TEXT,
    mode                TEXT NOT NULL,
    created_at          INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    refresh_after       INTEGER NOT NULL,
    secret_last4        TEXT NOT NULL,
    secret_hash         TEXT NOT NULL,
    address             TEXT,
    user_agent          TEXT,
    request_id          TEXT NOT NULL,
    upstream_request_id TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_by_subject ON grants (subject, created_at, id);
CREATE INDEX grants_by_time ON grants (created_at, id);
CREATE INDEX grants_by_session ON grants (session_id, created_at) WHERE session_id IS NOT NULL;
CREATE INDEX grants_by_lineage ON grants (lineage, created_at);

-- How far the registry has followed the audit trail, from which what a crash
-- took from it is restored.
CREATE TABLE cursors (
    name     TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT;
