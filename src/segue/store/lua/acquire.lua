-- Takes the lease of a run, unless another owner's is in force; returns its epoch, or 0.
--
-- KEYS: the lease. ARGV: owner, until, host, process id, doorbell, now, owner and epoch of a
-- lease whose owner is dead.

local held = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'until')
local epoch = 0
if held[1] then
    local dead = held[1] == ARGV[7] and held[2] == ARGV[8]
    if tonumber(held[3]) > tonumber(ARGV[6]) and held[1] ~= ARGV[1] and not dead then
        return 0
    end
    epoch = tonumber(held[2])
end
redis.call(
    'HSET', KEYS[1], 'owner', ARGV[1], 'epoch', string.format('%d', epoch + 1), 'until', ARGV[2],
    'host', ARGV[3], 'process_id', ARGV[4], 'doorbell', ARGV[5], 'turn', ''
)
return epoch + 1
