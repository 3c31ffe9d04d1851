-- Keeps a pass. KEYS[1]: the pass. ARGV: for how long, in milliseconds; then
-- the fields and what they hold.
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
