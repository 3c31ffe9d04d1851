-- Where each replica's trail stands whose records are durable here and nowhere
-- else. Whoever holds the row's incarnation may add to it; a process whose name
-- another has taken may not.
CREATE TABLE audit_chains (
    replica     text COLLATE "C" PRIMARY KEY,
    uid         text NOT NULL,
    incarnation text NOT NULL,
    records     bigint NOT NULL DEFAULT 0,
    head        text,                         -- the last record's SHA-256, in hexadecimal
    peaks       text NOT NULL DEFAULT '[]'    -- the roots of the tree over all of them, a JSON array
);

-- The last record of each replica that was in a partition that was dropped: what
-- is kept begins after it.
CREATE TABLE audit_joints (
    replica  text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    hash     text NOT NULL,
    PRIMARY KEY (replica, sequence)
);

-- Signed checkpoints of those trails, with the key each is checked with.
CREATE TABLE audit_checkpoints (
    replica    text COLLATE "C" NOT NULL,
    records    bigint NOT NULL,
    time       bigint NOT NULL,
    note       text NOT NULL,
    public_key text NOT NULL,
    PRIMARY KEY (replica, records)
);
