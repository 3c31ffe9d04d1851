-- Takes one of each limit, or none. The arithmetic is that of the core's
-- `quota::decide`: whole microseconds throughout, which Lua's numbers hold
-- exactly for two hundred years to come.
--
-- KEYS: the limits. ARGV[1]: the time, or nothing for the server's own;
-- ARGV[2i], ARGV[2i+1]: interval and burst of limit i.
-- Gives {1, used of each} or {0, which one refused, its wait, its used}.
-- By a given time it can't be known here when a limit is unused again.
local now, keep = tonumber(ARGV[1]), 60000
if not now then
  keep = 0
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local stored = redis.call('MGET', unpack(KEYS))
local tats, refused, longest, refused_used = {}, 0, -1, 0
for i = 1, #KEYS do
  local interval, burst = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local tat = tonumber(stored[i] or '') or now
  -- A clock that was set back, as by a failover, must not lock anyone out for
  -- longer than a full limit does.
  if tat > now + burst then tat = now + burst end
  local base = tat
  if base < now then base = now end
  local next_tat = base + interval
  local wait = next_tat - burst - now
  if wait > 0 then
    if wait > longest then
      refused, longest, refused_used = i, wait, base - now
    end
  else
    tats[i] = next_tat
  end
end
if refused > 0 then return {0, refused, longest, refused_used} end
local answer = {1}
for i = 1, #KEYS do
  local used = tats[i] - now
  redis.call('SET', KEYS[i], string.format('%.0f', tats[i]), 'PX', string.format('%.0f', math.max(keep, math.ceil(used / 1000))))
  answer[i + 1] = used
end
return answer
