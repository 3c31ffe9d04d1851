-- WebRTC calls that are not known to be over, with what it takes to end them.
CREATE TABLE calls (
    call_id TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    grant_id TEXT NOT NULL,
    upstream TEXT NOT NULL,
    key_mark TEXT NOT NULL,
    ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
