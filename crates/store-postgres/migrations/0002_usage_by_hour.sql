-- Usage by hour and mode. Replicas of the release before keep it by day, in the
-- table "usage", and go on doing so while both run. What this release measures
-- it writes in both forms, and marks the row of the day as told by hours too;
-- what pages report, in the new form alone, since two releases may hear of one
-- session from its page. Of a row that is not marked neither hour nor mode is
-- known. A later release drops "usage" and the view.
ALTER TABLE usage ADD COLUMN by_hour boolean NOT NULL DEFAULT false;

CREATE TABLE usage_hours (
    hour           text COLLATE "C" NOT NULL,   -- 2026-11-22T14:00Z, in UTC, or 2026-11-22
    session        text COLLATE "C" NOT NULL,
    subject        text COLLATE "C" NOT NULL,
    role           text COLLATE "C" NOT NULL,
    profile        text COLLATE "C" NOT NULL,
    mode           text COLLATE "C" NOT NULL,   -- direct, relay, call
    model          text COLLATE "C" NOT NULL,
    source         text COLLATE "C" NOT NULL,   -- measured, reported
    responses      bigint NOT NULL,
    transcriptions bigint NOT NULL,
    input_text     bigint NOT NULL,
    input_audio    bigint NOT NULL,
    input_image    bigint NOT NULL,
    cached_text    bigint NOT NULL,
    cached_audio   bigint NOT NULL,
    cached_image   bigint NOT NULL,
    output_text    bigint NOT NULL,
    output_audio   bigint NOT NULL,
    transcribed_ms bigint NOT NULL,
    live_ms        bigint NOT NULL,
    cost           bigint NOT NULL,             -- billionths of a dollar
    unpriced       bigint NOT NULL,
    PRIMARY KEY (hour, session, subject, role, profile, mode, model, source)
);
CREATE INDEX usage_hours_by_subject ON usage_hours (subject, hour);

-- All usage, whichever release wrote it.
CREATE VIEW usage_told AS
SELECT hour, session, subject, role, profile, mode, model, source,
       responses, transcriptions, input_text, input_audio, input_image, cached_text,
       cached_audio, cached_image, output_text, output_audio, transcribed_ms, live_ms,
       cost, unpriced
FROM usage_hours
UNION ALL
SELECT day, session, subject, role, profile,
       CASE source WHEN 'reported' THEN 'direct' ELSE '' END COLLATE "C", model, source,
       responses, transcriptions, input_text, input_audio, input_image, cached_text,
       cached_audio, cached_image, output_text, output_audio, transcribed_ms, live_ms,
       cost, unpriced
FROM usage WHERE NOT by_hour;

-- What the trails tell of mints, refusals and sessions, counted by all replicas.
CREATE TABLE activity (
    hour     text COLLATE "C" NOT NULL,         -- 2026-11-22T14:00Z
    subject  text COLLATE "C" NOT NULL,         -- empty where nobody was known
    profile  text COLLATE "C" NOT NULL,         -- empty where none was chosen, like mode and model
    mode     text COLLATE "C" NOT NULL,
    model    text COLLATE "C" NOT NULL,
    source   text COLLATE "C" NOT NULL,         -- measured, reported
    activity text COLLATE "C" NOT NULL,         -- minted, mint_refused, started, ended, ...
    reason   text COLLATE "C" NOT NULL,         -- code, or why a session ended; else empty
    times    bigint NOT NULL,
    cost     bigint NOT NULL,                   -- of sessions that ended, billionths of a dollar
    PRIMARY KEY (hour, subject, profile, mode, model, source, activity, reason)
) WITH (fillfactor = 70);
CREATE INDEX activity_by_subject ON activity (subject, hour);

-- How far each replica's trail is counted: written together with the counts.
CREATE TABLE counted_trails (
    trail text COLLATE "C" PRIMARY KEY,
    next  bigint NOT NULL                       -- the first record that is not counted
);
