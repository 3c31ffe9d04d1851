-- The registry is a projection of the audit trail: it is made anew, and the
-- next start fills it from the trail again.
DROP TABLE grants;
DELETE FROM cursors WHERE name = 'grants';

-- Rows are appended. Ids are 16 bytes that begin with the time, so that new
-- ones stand side by side in their index, and as few indexes as the questions
-- need: by id, by time, by subject, by interview, by lineage, and by when time
-- alone will change the state.
CREATE TABLE grants (
    id            BLOB NOT NULL,
    lineage       BLOB,               -- of a refresh; the first one's has its id's bytes
    state         INTEGER NOT NULL,   -- the state's rank: 0 active, 1 connected, 2 expired, 3 ended, 4 revoked
    subject       TEXT NOT NULL,
    credential    TEXT NOT NULL,
    profile       TEXT NOT NULL,
    session_id    TEXT,
    mode          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    due_at        INTEGER,            -- none once at its end
    superseded_by BLOB,
    detail        TEXT NOT NULL       -- what nobody asks by, as a JSON array
) STRICT;

CREATE UNIQUE INDEX grants_by_id ON grants (id);
CREATE INDEX grants_by_time ON grants (created_at);
CREATE INDEX grants_by_subject ON grants (subject, created_at);
CREATE INDEX grants_by_session ON grants (session_id, created_at) WHERE session_id IS NOT NULL;
CREATE INDEX grants_by_lineage ON grants (lineage) WHERE lineage IS NOT NULL;
CREATE INDEX grants_by_due ON grants (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE revocations (
    id         TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    target     TEXT,
    reason     TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    lifted_at  INTEGER,
    lifted_by  TEXT
) STRICT;

-- One in force of each kind and target.
CREATE UNIQUE INDEX revocations_in_force ON revocations (kind, COALESCE(target, '')) WHERE lifted_at IS NULL;
CREATE INDEX revocations_by_time ON revocations (created_at, id);
