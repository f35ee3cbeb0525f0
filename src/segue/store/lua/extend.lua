-- Sets the ends of leases, if all of them are still held; else nothing is changed.
--
-- KEYS: the leases. ARGV: until, then owner and epoch of each.

for number, key in ipairs(KEYS) do
    local held = redis.call('HMGET', key, 'owner', 'epoch')
    if held[1] ~= ARGV[2 * number] or held[2] ~= ARGV[2 * number + 1] then
        return redis.error_reply('SEGUELEASE another engine has taken a run over')
    end
end
for _, key in ipairs(KEYS) do
    redis.call('HSET', key, 'until', ARGV[1])
end
return redis.status_reply('OK')
