-- Gives one of each limit back that was taken a moment ago, where another
-- server of the cluster then refused.
--
-- KEYS: the limits. ARGV[1]: the time, or nothing for the server's own;
-- ARGV[1+i]: interval of limit i.
-- By a given time it can't be known here when a limit is unused again.
local now, keep = tonumber(ARGV[1]), 60000
if not now then
  keep = 0
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
for i = 1, #KEYS do
  local tat = tonumber(redis.call('GET', KEYS[i]) or '')
  if tat then
    tat = tat - tonumber(ARGV[1 + i])
    if tat > now then
      redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX', string.format('%.0f', math.max(keep, math.ceil((tat - now) / 1000))))
    else
      redis.call('DEL', KEYS[i])
    end
  end
end
return #KEYS
