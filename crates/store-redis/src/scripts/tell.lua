-- Appends to a stream that ends by itself. KEYS[1]: the stream. ARGV: how many
-- entries it keeps, for how many milliseconds, and the entry's text.
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 't', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return id
