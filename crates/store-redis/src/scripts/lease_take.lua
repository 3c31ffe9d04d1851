-- Takes a place among those of one caller, or says how long until one is free.
--
-- KEYS[1]: the places, by when they end. ARGV: the time in milliseconds, or
-- nothing for the server's own; whose place; for how long; how many there are.
-- Gives -1 where taken, else the wait in milliseconds.
-- By a given time it can't be known here when the last place is free.
local now, keep = tonumber(ARGV[1]), 60000
if not now then
  keep = 1
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local ends = now + tonumber(ARGV[3])
local held = redis.call('ZSCORE', KEYS[1], ARGV[2])
if held then
  ends = math.max(ends, tonumber(held))
elseif redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if not first[2] then return 0 end
  return tonumber(first[2]) - now
end
redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[2])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(keep, tonumber(last[2]) - now)))
return -1
