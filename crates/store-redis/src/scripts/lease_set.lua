-- Sets when places of one caller end.
--
-- KEYS[1]: the places. ARGV: the time in milliseconds, or nothing for the
-- server's own; 'any' to put a place there that is missing, 'held' not to;
-- then pairs: whose place, and how long it lasts from now on.
-- By a given time it can't be known here when the last place is free.
local now, keep = tonumber(ARGV[1]), 60000
if not now then
  keep = 1
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
for i = 3, #ARGV, 2 do
  local life = tonumber(ARGV[i + 1])
  if life <= 0 then
    redis.call('ZREM', KEYS[1], ARGV[i])
  elseif ARGV[2] == 'any' or redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('ZADD', KEYS[1], string.format('%.0f', now + life), ARGV[i])
  end
end
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
if last[2] then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(keep, tonumber(last[2]) - now)))
end
return 1
