-- Uses a pass up. KEYS[1]: the pass.
-- Gives 0 where there is none, 1 the first time, 2 at any other.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return 2 - redis.call('HSETNX', KEYS[1], 'spent', 1)
