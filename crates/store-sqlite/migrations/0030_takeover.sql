-- What the next process needs to carry a call on; none of one an earlier release
-- kept, which is hung up.
ALTER TABLE calls ADD COLUMN terms TEXT;   -- a JSON object
