-- Writes one turn of an engine: everything is checked first, then everything is written.
--
-- ARGV: prefix, form ('json' or 'hash'), the turn's word, number of commits; then of each
-- commit what `redis_rows.commit_words` puts down, in its order.

local at = 0
local function take()
    at = at + 1
    return ARGV[at]
end

local function take_rows(width)
    local rows = {}
    for number = 1, tonumber(take()) do
        local row = {}
        for column = 1, width do
            row[column] = take()
        end
        rows[number] = row
    end
    return rows
end

local prefix, form, turn = take(), take(), take()

local function read_state(key, position)
    if form == 'json' then
        local found = redis.call('JSON.GET', key, '$["' .. position .. '"].state')
        return found and string.match(found, '^%["(%a+)"%]$')
    end
    local found = redis.call('HGET', key, position)
    return found and string.match(found, '^{"state":"(%a+)"')
end

local function write(key, field, text)
    if form == 'json' then
        redis.call('JSON.SET', key, '$["' .. field .. '"]', text)
    else
        redis.call('HSET', key, field, text)
    end
end

local function remove(key, field)
    if form == 'json' then
        redis.call('JSON.DEL', key, '$["' .. field .. '"]')
    else
        redis.call('HDEL', key, field)
    end
end

local commits = {}
for number = 1, tonumber(take()) do
    local run = take()
    commits[number] = {
        run = run,
        key = prefix .. ':run:' .. run,
        owner = take(),
        epoch = take(),
        nodes = take_rows(4), -- position, name, definition, record
        definitions = take_rows(2), -- position, definition
        steps = take_rows(4), -- position, old, new, record
        kept = take_rows(3), -- task, number, attempt
        gone = take_rows(2), -- task, number
        first = take(), -- number of the first line of history
        lines = take_rows(2), -- line, the step that it tells or nothing
        record = take(), -- of the run, or nothing
        commands = take_rows(1),
    }
end

-- Nothing is written before all of this holds: a script that fails later is not undone.
local states, lengths = {}, {}
for _, commit in ipairs(commits) do
    local held = redis.call('HMGET', commit.key .. ':lease', 'owner', 'epoch')
    if held[1] ~= commit.owner or held[2] ~= commit.epoch then
        return redis.error_reply('SEGUELEASE another engine has taken run ' .. commit.run .. ' over')
    end
    local known = states[commit.run] or {}
    states[commit.run] = known
    for _, node in ipairs(commit.nodes) do
        if known[node[1]] or read_state(commit.key .. ':records', node[1]) then
            return redis.error_reply('SEGUEREFUSED a task at position ' .. node[1] .. ' exists')
        end
        known[node[1]] = 'waiting'
    end
    for _, step in ipairs(commit.steps) do
        local stored = known[step[1]] or read_state(commit.key .. ':records', step[1])
        if stored ~= step[2] then
            return redis.error_reply(
                'SEGUESTATE a task of run ' .. commit.run .. ' is not in the state it was read in'
            )
        end
        local way = step[2] .. '>' .. step[3]
        if step[2] ~= step[3] and redis.call('SISMEMBER', prefix .. ':ways', way) == 0 then
            return redis.error_reply('SEGUEREFUSED not a way between two states: ' .. way)
        end
        known[step[1]] = step[3]
    end
    if #commit.lines > 0 then
        local length = lengths[commit.run] or redis.call('LLEN', commit.key .. ':history')
        if tonumber(commit.first) <= length then
            return redis.error_reply('SEGUEREFUSED history ' .. commit.first .. ' exists already')
        elseif tonumber(commit.first) ~= length + 1 then
            return redis.error_reply('SEGUEREFUSED a number of the history is left out')
        end
        for _, line in ipairs(commit.lines) do
            if line[2] ~= '' and redis.call('SISMEMBER', prefix .. ':steps', line[2]) == 0 then
                return redis.error_reply('SEGUEREFUSED not a step between two states: ' .. line[2])
            end
        end
        lengths[commit.run] = length + #commit.lines
    end
end

for _, commit in ipairs(commits) do
    local key = commit.key
    redis.call('HSET', key .. ':lease', 'turn', turn)
    for _, node in ipairs(commit.nodes) do
        redis.call('HSET', key .. ':names', node[2], node[1])
        write(key .. ':nodes', node[1], node[3])
        write(key .. ':records', node[1], node[4])
    end
    for _, node in ipairs(commit.definitions) do
        write(key .. ':nodes', node[1], node[2])
    end
    for _, step in ipairs(commit.steps) do
        write(key .. ':records', step[1], step[4])
    end
    for _, attempt in ipairs(commit.kept) do
        write(key .. ':attempts', attempt[1] .. '.' .. attempt[2], attempt[3])
        local newest = tonumber(redis.call('HGET', key .. ':tried', attempt[1]) or 0)
        if tonumber(attempt[2]) > newest then
            redis.call('HSET', key .. ':tried', attempt[1], attempt[2])
        end
    end
    for _, attempt in ipairs(commit.gone) do
        remove(key .. ':attempts', attempt[1] .. '.' .. attempt[2])
    end
    for _, line in ipairs(commit.lines) do
        redis.call('RPUSH', key .. ':history', line[1])
    end
    if commit.record ~= '' then
        write(key, 'run', commit.record)
    end
    for _, command in ipairs(commit.commands) do
        redis.call('HDEL', key .. ':commands', command[1])
    end
end
return redis.status_reply('OK')
