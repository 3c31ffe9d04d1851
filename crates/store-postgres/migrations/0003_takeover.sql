-- What another replica needs to carry a call on; none of one an earlier release
-- kept, which is hung up.
ALTER TABLE calls ADD COLUMN terms text;   -- a JSON object

-- Who carries a session on that another process began. What any other still
-- counts of its usage is not added: a process that only seemed dead, and its
-- successor, hear the same events. Kept for a day.
CREATE TABLE call_takers (
    session     text PRIMARY KEY,
    incarnation text NOT NULL,
    taken_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
