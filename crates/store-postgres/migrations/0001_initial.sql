-- Times are milliseconds since 1970 (UTC). Identifiers sort by their bytes.

-- One row for what changes rarely and must be seen everywhere. Whoever changes
-- a key or a revocation raises the number in the same transaction: the row's
-- lock puts the changes in one order, and a reader that sees a number sees
-- every change up to it.
CREATE TABLE revisions (
    name   text PRIMARY KEY,
    value  bigint NOT NULL,
    -- The last one at which rows were removed: who is behind it reads all anew.
    purged bigint NOT NULL
);
INSERT INTO revisions VALUES ('access', 1, 0);

CREATE TABLE installation (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Tells whether a replica has the same installation key, and not the key.
    fingerprint bytea NOT NULL
);

CREATE TABLE api_keys (
    id           text COLLATE "C" PRIMARY KEY,
    kind         text NOT NULL,
    name         text NOT NULL,
    hash         bytea NOT NULL,
    roles        text NOT NULL,   -- a JSON array
    networks     text NOT NULL,   -- a JSON array
    created_at   bigint NOT NULL,
    expires_at   bigint,
    revoked_at   bigint,
    last_used_at bigint,
    replaced_by  text COLLATE "C",
    revision     bigint NOT NULL
);
CREATE INDEX api_keys_by_revision ON api_keys (revision);

CREATE TABLE revocations (
    id         text COLLATE "C" PRIMARY KEY,
    kind       text NOT NULL,
    target     text,
    reason     text,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    lifted_at  bigint,
    lifted_by  text,
    revision   bigint NOT NULL
);
-- One in force of each kind and target.
CREATE UNIQUE INDEX revocations_in_force ON revocations (kind, COALESCE(target, '')) WHERE lifted_at IS NULL;
CREATE INDEX revocations_by_time ON revocations (created_at, id);
CREATE INDEX revocations_by_revision ON revocations (revision);

CREATE TABLE grants (
    id                  text COLLATE "C" PRIMARY KEY,
    lineage             text COLLATE "C" NOT NULL,
    state               smallint NOT NULL,   -- the state's rank: 0 active, 1 connected, 2 expired, 3 ended, 4 revoked
    subject             text COLLATE "C" NOT NULL,
    credential          text COLLATE "C" NOT NULL,
    profile             text COLLATE "C" NOT NULL,
    session_id          text COLLATE "C",
    mode                text NOT NULL,
    created_at          bigint NOT NULL,
    expires_at          bigint NOT NULL,
    refresh_after       bigint NOT NULL,
    due_at              bigint,              -- when time alone changes the state; none once at its end
    superseded_by       text COLLATE "C",
    refresh_of          text COLLATE "C",
    lineage_started_at  bigint,              -- of a refresh
    secret_last4        text NOT NULL,
    secret_hash         text NOT NULL,
    address             text,
    user_agent          text,
    request_id          text NOT NULL,
    upstream_request_id text
    -- State and due time change once or twice in a row's life: room on its page
    -- keeps such a change from touching the other indexes.
) WITH (fillfactor = 85);
CREATE INDEX grants_by_time ON grants (created_at, id);
CREATE INDEX grants_by_subject ON grants (subject, created_at, id);
CREATE INDEX grants_by_session ON grants (session_id, created_at) WHERE session_id IS NOT NULL;
CREATE INDEX grants_by_lineage ON grants (lineage);
CREATE INDEX grants_by_due ON grants (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE interviews (
    session_id    text COLLATE "C" PRIMARY KEY,
    subject       text COLLATE "C" NOT NULL,
    profile       text,
    expires_at    bigint NOT NULL,
    max_grants    bigint,
    registered_by text NOT NULL,
    registered_at bigint NOT NULL,
    ended_at      bigint,
    issued        bigint NOT NULL DEFAULT 0
);
CREATE INDEX interviews_by_subject ON interviews (subject, registered_at, session_id);
CREATE INDEX interviews_by_time ON interviews (registered_at, session_id);

-- What is kept of a pass until it is used or its time is over. The text itself
-- is nowhere.
CREATE TABLE passes (
    id         text COLLATE "C" PRIMARY KEY,   -- its grant's
    hash       bytea NOT NULL,
    role       text NOT NULL,
    session    text NOT NULL,
    expires_at bigint NOT NULL,
    -- Names the one use: asked again after a broken connection, the same use
    -- is told from a second one.
    spent_by   text
);
CREATE INDEX passes_by_end ON passes (expires_at);

-- Processes that share this database. Who has not been heard of for a while is
-- dead, and others end what it left.
CREATE TABLE replicas (
    name        text PRIMARY KEY,
    -- Kept in its data directory: another directory is another replica.
    identity    text NOT NULL,
    -- Another one at every start.
    incarnation text NOT NULL UNIQUE,
    version     text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The last batch of this process's usage that was counted.
    usage_batch bigint NOT NULL DEFAULT 0
);

-- WebRTC calls that are not known to be over, with what it takes to end them.
CREATE TABLE calls (
    call_id     text COLLATE "C" PRIMARY KEY,
    session     text NOT NULL,
    grant_id    text NOT NULL,
    upstream    text NOT NULL,
    key_mark    text NOT NULL,
    ends_at     bigint NOT NULL,
    incarnation text,                           -- whose it is; none of a copied one
    orphan      boolean NOT NULL DEFAULT false  -- taken over from a dead process
);

-- Usage, a row for each session, model and day: every total is a sum of these.
CREATE TABLE usage (
    day            text COLLATE "C" NOT NULL,   -- 2026-11-22, in UTC
    session        text COLLATE "C" NOT NULL,
    subject        text COLLATE "C" NOT NULL,
    role           text COLLATE "C" NOT NULL,
    profile        text COLLATE "C" NOT NULL,
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
    PRIMARY KEY (day, session, subject, role, profile, model, source)
);
CREATE INDEX usage_by_subject ON usage (subject, day);

-- The sums budgets are held against: measured usage of a subject or a role.
CREATE TABLE usage_sums (
    day            text COLLATE "C" NOT NULL,
    kind           text COLLATE "C" NOT NULL,   -- subject, role
    account        text COLLATE "C" NOT NULL,
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
    cost           bigint NOT NULL,
    unpriced       bigint NOT NULL,
    PRIMARY KEY (day, kind, account)
) WITH (fillfactor = 70);

-- A searchable copy of every replica's trail, a partition a day. The trail's
-- own files are the truth; a record comes here at least once and is kept once.
CREATE TABLE audit_records (
    position   bigint GENERATED ALWAYS AS IDENTITY,
    replica    text COLLATE "C" NOT NULL,
    sequence   bigint NOT NULL,
    time       bigint NOT NULL,
    action     text NOT NULL,
    outcome    text NOT NULL,
    subject    text,
    grant_id   text,
    lineage    text,
    session_id text,
    address    text,
    line       text NOT NULL,
    PRIMARY KEY (replica, sequence, time)
) PARTITION BY RANGE (time);
CREATE INDEX audit_records_by_position ON audit_records (position);
CREATE INDEX audit_records_by_time ON audit_records (time);
CREATE INDEX audit_records_by_subject ON audit_records (subject, position) WHERE subject IS NOT NULL;
CREATE INDEX audit_records_by_grant ON audit_records (grant_id, position) WHERE grant_id IS NOT NULL;
CREATE INDEX audit_records_by_lineage ON audit_records (lineage, position) WHERE lineage IS NOT NULL;
CREATE INDEX audit_records_by_session ON audit_records (session_id, position) WHERE session_id IS NOT NULL;

-- How far a copy from another store has got; empty once it is whole.
CREATE TABLE copies (
    name  text PRIMARY KEY,
    mark  text NOT NULL
);
