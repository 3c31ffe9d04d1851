-- Sets and removes announced sessions of one replica. KEYS[1]: the replica's.
-- ARGV: for how long, in milliseconds; then pairs: a name, and what it holds,
-- or nothing where it is over.
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
