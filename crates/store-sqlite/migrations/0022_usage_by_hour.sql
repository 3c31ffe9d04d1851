-- Usage by hour and mode, too. Of what was kept by day before, neither is
-- known: its hour is the day alone, and its mode is empty. One process uses the
-- file, so the table is written anew instead of kept beside the old one.
CREATE TABLE usage_by_hour (
    hour           TEXT NOT NULL,     -- 2026-11-22T14:00Z in UTC, or 2026-11-22
    session        TEXT NOT NULL,
    subject        TEXT NOT NULL,
    role           TEXT NOT NULL,
    profile        TEXT NOT NULL,
    mode           TEXT NOT NULL,     -- direct, relay, call
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
    PRIMARY KEY (hour, session, subject, role, profile, mode, model, source)
) STRICT, WITHOUT ROWID;

INSERT INTO usage_by_hour
SELECT day, session, subject, role, profile,
       CASE source WHEN 'reported' THEN 'direct' ELSE '' END, model, source,
       responses, transcriptions, input_text, input_audio, input_image, cached_text,
       cached_audio, cached_image, output_text, output_audio, transcribed_ms, live_ms,
       cost, unpriced
FROM usage;

DROP TABLE usage;
ALTER TABLE usage_by_hour RENAME TO usage;
CREATE INDEX usage_by_subject ON usage (subject, hour);

-- What the trail tells of mints, refusals and sessions, counted.
CREATE TABLE activity (
    hour     TEXT NOT NULL,           -- 2026-11-22T14:00Z
    subject  TEXT NOT NULL,           -- empty where nobody was known
    profile  TEXT NOT NULL,           -- empty where none was chosen, like mode and model
    mode     TEXT NOT NULL,
    model    TEXT NOT NULL,
    source   TEXT NOT NULL,           -- measured, reported
    activity TEXT NOT NULL,           -- minted, mint_refused, started, ended, ...
    reason   TEXT NOT NULL,           -- code, or why a session ended; else empty
    times    INTEGER NOT NULL,
    cost     INTEGER NOT NULL,        -- of sessions that ended, billionths of a dollar
    PRIMARY KEY (hour, subject, profile, mode, model, source, activity, reason)
) STRICT, WITHOUT ROWID;

CREATE INDEX activity_by_subject ON activity (subject, hour);

-- How far a trail is counted: written together with the counts.
CREATE TABLE counted_trails (
    trail TEXT PRIMARY KEY,
    next  INTEGER NOT NULL            -- the first record that is not counted
) STRICT, WITHOUT ROWID;
