-- Passes: what is kept of one until it is used or its time is over. The text
-- itself is nowhere. A spent one stays until then, so that it is never taken
-- for an unspent one.
CREATE TABLE passes (
    id         BLOB PRIMARY KEY,      -- its grant's
    hash       BLOB NOT NULL,
    role       TEXT NOT NULL,
    session    TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    spent      INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX passes_by_end ON passes (expires_at);

-- Usage, a row for each session, model and day: every total is a sum of these.
CREATE TABLE usage (
    day            TEXT NOT NULL,     -- 2026-11-22, in UTC
    session        TEXT NOT NULL,
    subject        TEXT NOT NULL,
    role           TEXT NOT NULL,
    profile        TEXT NOT NULL,
    model          TEXT NOT NULL,
    source         TEXT NOT NULL,     -- measured, reported
    responses      INTEGER NOT NULL,
    transcriptions INTEGER NOT NULL,
    input_text     INTEGER NOT NULL,
    input_audio    INTEGER NOT NULL,
    input_image    INTEGER NOT NULL,
    cached_text    INTEGER NOT NULL,
    cached_audio   INTEGER NOT NULL,
    cached_image   INTEGER NOT NULL,
    output_text    INTEGER NOT NULL,
    output_audio   INTEGER NOT NULL,
    transcribed_ms INTEGER NOT NULL,
    live_ms        INTEGER NOT NULL,
    cost           INTEGER NOT NULL,  -- billionths of a dollar
    unpriced       INTEGER NOT NULL,
    PRIMARY KEY (day, session, subject, role, profile, model, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_by_subject ON usage (subject, day);
