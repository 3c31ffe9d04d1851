-- An index by subject over all grants cost four times as much as everything
-- else about a grant: each one changed another page of it. Grants are numbered
-- in the order in which they are written, and the index is one run after the
-- other, 16,384 grants each: those just written change the pages of the last
-- run only. Whoever asks for a subject's grants looks into every run, newest
-- first, until there are enough.
CREATE TABLE numbered_grants (
    n             INTEGER PRIMARY KEY,
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

INSERT INTO numbered_grants
SELECT rowid, id, lineage, state, subject, credential, profile, session_id, mode,
       created_at, expires_at, due_at, superseded_by, detail
FROM grants ORDER BY rowid;
DROP TABLE grants;
ALTER TABLE numbered_grants RENAME TO grants;

CREATE UNIQUE INDEX grants_by_id ON grants (id);
CREATE INDEX grants_by_time ON grants (created_at);
CREATE INDEX grants_by_subject ON grants (n >> 14, subject, created_at);
CREATE INDEX grants_by_session ON grants (session_id, created_at) WHERE session_id IS NOT NULL;
CREATE INDEX grants_by_lineage ON grants (lineage) WHERE lineage IS NOT NULL;
CREATE INDEX grants_by_due ON grants (due_at) WHERE due_at IS NOT NULL;

-- When the grants of each run were made, at the earliest and at the latest.
CREATE TABLE grant_runs (
    run      INTEGER PRIMARY KEY,
    earliest INTEGER NOT NULL,
    latest   INTEGER NOT NULL
) STRICT;

INSERT INTO grant_runs
SELECT n >> 14, MIN(created_at), MAX(created_at) FROM grants GROUP BY n >> 14;
