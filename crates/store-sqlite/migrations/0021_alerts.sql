-- Alerts, those that last and those that ended.
CREATE TABLE alerts (
    id          TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    rule        TEXT NOT NULL,
    severity    TEXT NOT NULL,
    started_at  INTEGER NOT NULL,     -- milliseconds
    ended_at    INTEGER,              -- milliseconds; null while it lasts
    alert       TEXT NOT NULL         -- all of it, as JSON
) STRICT, WITHOUT ROWID;

CREATE INDEX alerts_by_start ON alerts (started_at DESC, id);
CREATE INDEX alerts_that_last ON alerts (started_at) WHERE ended_at IS NULL;

-- What is to be sent of them, until it is taken.
CREATE TABLE letters (
    number      INTEGER PRIMARY KEY,  -- in the order they were written
    id          TEXT NOT NULL UNIQUE,
    receiver    TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    alert       TEXT NOT NULL,        -- as it was then, as JSON
    written_at  INTEGER NOT NULL,     -- milliseconds
    due_at      INTEGER NOT NULL,     -- milliseconds
    tries       INTEGER NOT NULL
) STRICT;

CREATE INDEX letters_by_receiver ON letters (receiver, number);
CREATE INDEX letters_by_cause ON letters (receiver, fingerprint, number);
