-- Says that a revocation is in force at a replica. KEYS[1]: who said so. ARGV:
-- for how many milliseconds that is kept, the replica, and how many live
-- sessions it ended there.
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
