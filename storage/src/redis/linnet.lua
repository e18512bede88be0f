#!lua name=linnet1
--
-- What has to happen on the server in one step. The keys and what they hold are described in `layout.rs`.
--
-- The library's name carries its version, and so does every function's. A change of what a function expects, answers
-- or leaves in the keys is a new version beside the old one, since gateways of both run during an upgrade.
--
-- Every function begins with the home's guard among its keys, which no key is ever stored under. While a slot is
-- migrated the guard is a missing key, so the server itself refuses the call before anything of it has run.

local ROWS = 64 -- of a chunk
local EXPIRY = 6 -- bytes in front of a value: when it expires, 0 for never
local FOOTER = 5 -- bytes behind a row of a chunk: its length in four, its offset in one
local GRACE = 3600000 -- milliseconds that a key outlives its rows, whose end only the caller's clock tells
local TRIMMED = 32 -- rows dropped at most, for each place that a call touches

-- `redis.call` is not there yet while the library is loaded.
local function call(...)
    return redis.call(...)
end

local function expiry_of(value)
    local a, b, c, d, e, f = string.byte(value, 1, EXPIRY)
    return ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end

-- A stored value as its owner knows it, or nil if it is not there any more.
local function live(value, expires, now)
    if not value then return nil end
    if not expires then return value end
    local at = expiry_of(value)
    if at ~= 0 and at <= now then return nil end
    return string.sub(value, EXPIRY + 1)
end

local function number(value)
    return string.format('%.0f', value)
end

-- Lets keys vanish together some time after `at`. All have the same time to live or none, or a row could outlive its
-- place in the order.
local function outlive(keys, at, now)
    local wanted = at - now + GRACE
    local same = true
    local left = call('PTTL', keys[1])
    for i = 2, #keys do
        same = same and call('PTTL', keys[i]) == left
    end
    if same and left >= wanted - GRACE / 2 then return end
    for _, key in ipairs(keys) do
        call('PEXPIRE', key, number(wanted))
    end
end

local function persist(keys)
    if call('PTTL', keys[1]) == -1 and call('PTTL', keys[#keys]) == -1 then return end
    for _, key in ipairs(keys) do
        call('PERSIST', key)
    end
end

-- Drops the members of an expiry set whose time has come, from all of `keys`, the set itself among them.
local function trim(expiries, now, drop)
    local gone = call('ZRANGEBYSCORE', expiries, '-inf', number(now), 'LIMIT', 0, TRIMMED)
    if #gone > 0 then drop(gone) end
end

-- Keys whose members all expire vanish when the last one has; others stay.
local function settle(count, expiries, keys, now)
    if call(count[1], count[2]) == call('ZCARD', expiries) then
        local last = call('ZRANGE', expiries, -1, -1, 'WITHSCORES')
        if last[2] then outlive(keys, tonumber(last[2]), now) end
    else
        persist(keys)
    end
end

-- A table's rows in one home: `Map` and `Sorted`.

local Rows = {}
Rows.__index = Rows

function Rows:open()
    if self.left or not self.expiries then return end
    self.left = call('PTTL', self.values)
    -- Keys that expire together may have been moved to another server in between, and then miss each other by a moment.
    if self.left == -2 then
        call('UNLINK', self.expiries)
        if self.order then call('UNLINK', self.order) end
    end
end

function Rows:get(rest)
    return live(call('HGET', self.values, rest), self.expiries, self.now)
end

function Rows:put(rest, value)
    self:open()
    self.changed = true
    local added = call('HSET', self.values, rest, value) == 1
    if added and self.order then call('ZADD', self.order, 0, rest) end
    if not self.expiries then return end
    local at = expiry_of(value)
    if at ~= 0 then
        call('ZADD', self.expiries, number(at), rest)
        self.latest = math.max(self.latest or 0, at)
        -- The row may have been the last without an end.
        if not added then self.unsettled = true end
    else
        if not added then call('ZREM', self.expiries, rest) end
        self.unsettled = true
    end
end

function Rows:delete(rest)
    self:open()
    if call('HDEL', self.values, rest) == 0 then return end
    self.changed = true
    self.unsettled = true
    if self.order then call('ZREM', self.order, rest) end
    if self.expiries then call('ZREM', self.expiries, rest) end
end

function Rows:finish()
    if not self.changed or not self.expiries then return end
    trim(self.expiries, self.now, function(gone)
        call('HDEL', self.values, unpack(gone))
        if self.order then call('ZREM', self.order, unpack(gone)) end
        call('ZREM', self.expiries, unpack(gone))
        self.unsettled = true
    end)
    -- Mostly, rows are added to a key that lives long enough, or to one that has rows without an end.
    if not self.unsettled then
        if self.left == -1 or self.left >= self.latest - self.now + GRACE / 2 then return end
    end
    settle({ 'HLEN', self.values }, self.expiries, { self.values, self.expiries, self.order }, self.now)
end

-- A chunk of a log: the rows of one value of key / ROWS, one behind the other. Or, where they lie in an object store,
-- one row whose place no row has, and whose value names the object.

local SEALED = 255

local Chunk = {}
Chunk.__index = Chunk

-- Rows of a chunk's bytes, last first: offset and the place of the value.
local function backwards(text)
    local at = #text
    return function()
        if at <= 0 then return nil end
        local a, b, c, d, offset = string.byte(text, at - FOOTER + 1, at)
        local length = ((a * 256 + b) * 256 + c) * 256 + d
        local last = at - FOOTER
        at = last - length
        return offset, at + 1, last
    end
end

local function row(offset, value)
    local length = #value
    local footer = string.char(
        math.floor(length / 16777216) % 256,
        math.floor(length / 65536) % 256,
        math.floor(length / 256) % 256,
        length % 256,
        offset
    )
    return value .. footer
end

-- The name of the object that a chunk's bytes stand for, if they do.
local function sealed(text)
    if string.byte(text, -1) == SEALED then return string.sub(text, 1, #text - FOOTER) end
end

function Chunk:open()
    if self.tail then return end
    self.tail = {}
    if not self.expiries then return end
    -- What has no end is in the index, and stays.
    local left = call('PTTL', self.chunk)
    self.endless = left == -1
    if self.endless then return end
    if call('EXISTS', self.index) == 0 then call('UNLINK', self.expiries) end
    -- The index alone says which chunks there are; what else has the key's name is left from one that has expired.
    local at = tonumber(call('ZSCORE', self.expiries, self.member) or nil)
    if at and at <= self.now then
        call('ZREM', self.expiries, self.member)
        call('ZREM', self.index, self.member)
        call('UNLINK', self.chunk)
    elseif not at and left ~= -2 and not call('ZSCORE', self.index, self.member) then
        call('UNLINK', self.chunk)
    end
end

-- All rows by offset, those not yet written included.
function Chunk:load()
    self:open()
    if not self.rows then
        self.rows = {}
        local text = (call('GET', self.chunk) or '') .. table.concat(self.tail)
        for offset, first, last in backwards(text) do
            self.rows[offset] = string.sub(text, first, last)
        end
    end
    return self.rows
end

-- The last offset, or -1. Only while nothing but appends has happened.
function Chunk:top()
    self:open()
    if not self.last then
        self.last = string.byte(call('GETRANGE', self.chunk, -1, -1)) or -1
        self.new = self.last == -1
    end
    return self.last
end

function Chunk:get(rest)
    return live(self:load()[string.byte(rest)], self.expiries, self.now)
end

function Chunk:put(rest, value)
    local offset = string.byte(rest)
    self.changed = true
    if self.expiries then
        local at = expiry_of(value)
        self.forever = self.forever or at == 0
        self.latest = math.max(self.latest or 0, at)
    end
    if not self.rewritten and offset > self:top() then
        self.tail[#self.tail + 1] = row(offset, value)
        self.last = offset
        if self.rows then self.rows[offset] = value end
    else
        self:load()[offset] = value
        self.rewritten = true
    end
end

function Chunk:delete(rest)
    local rows = self:load()
    local offset = string.byte(rest)
    if rows[offset] then
        rows[offset] = nil
        self.changed = true
        self.rewritten = true
    end
end

function Chunk:finish()
    if not self.changed then return end
    local endless = self.endless and not self.rewritten
    if self.rewritten then self:rewrite() else self:append() end
    -- Nothing has changed about when a chunk ends that never does.
    if not self.expiries or endless then return end
    trim(self.expiries, self.now, function(gone)
        call('ZREM', self.index, unpack(gone))
        call('ZREM', self.expiries, unpack(gone))
    end)
    settle({ 'ZCARD', self.index }, self.expiries, { self.index, self.expiries }, self.now)
end

function Chunk:append()
    call('APPEND', self.chunk, table.concat(self.tail))
    if self.new then call('ZADD', self.index, 0, self.member) end
    if self.expiries and not self.endless then
        local known = tonumber(call('ZSCORE', self.expiries, self.member) or nil)
        if self.new or known then
            self:expire(self.forever, math.max(self.latest, known or 0))
        end
    end
    if self.last == ROWS - 1 then
        -- A string that grew has up to as much room again. A copy has none, and this one is complete.
        call('COPY', self.chunk, self.guard)
        call('RENAME', self.guard, self.chunk)
    end
end

-- Writes the chunk anew, so that nothing is left of what was in it.
function Chunk:rewrite()
    local rows, forever, latest = {}, false, 0
    for offset = 0, ROWS - 1 do
        local value = self.rows[offset]
        if value and live(value, self.expiries, self.now) then
            rows[#rows + 1] = row(offset, value)
            if self.expiries then
                local at = expiry_of(value)
                forever = forever or at == 0
                latest = math.max(latest, at)
            end
        end
    end
    if #rows == 0 then
        call('UNLINK', self.chunk)
        call('ZREM', self.index, self.member)
        if self.expiries then call('ZREM', self.expiries, self.member) end
        return
    end
    call('SET', self.chunk, table.concat(rows))
    call('ZADD', self.index, 0, self.member)
    if self.expiries then self:expire(forever, latest) end
end

function Chunk:expire(forever, at)
    if forever then
        call('ZREM', self.expiries, self.member)
        call('PERSIST', self.chunk)
    else
        call('ZADD', self.expiries, number(at), self.member)
        outlive({ self.chunk }, at, self.now)
    end
end

-- Reads arguments one after the other.
local function reader(args)
    local at = 0
    return function()
        at = at + 1
        return args[at]
    end
end

-- The places that a commit names, from their descriptions: a letter for the kind, `x` or `-` for expiry, and for a
-- chunk its number.
local function places(keys, next, now)
    local key = reader(keys)
    local guard = key()
    local found = {}
    for i = 1, tonumber(next()) do
        local description = next()
        local kind = string.sub(description, 1, 1)
        local place
        if kind == 'l' then
            place = setmetatable({ chunk = key(), index = key(), member = string.sub(description, 3), guard = guard }, Chunk)
        else
            place = setmetatable({ values = key() }, Rows)
            if kind == 's' then place.order = key() end
        end
        if string.sub(description, 2, 2) == 'x' then place.expiries = key() end
        place.now = now
        found[i] = place
    end
    return found
end

local function holds(place, rest, state)
    local found = place:get(rest)
    local kind = string.sub(state, 1, 1)
    if kind == 'a' then return found == nil end
    if kind == 'p' then return found ~= nil end
    return found == string.sub(state, 2)
end

-- Moves the server's place in the stream to its replicas, and nothing else.
--
-- A `WAIT` waits for what its own connection has written, and for what others have only if that is older. With this
-- before it, it waits for all that the connection can have seen. The key is there on no replica, and so neither they
-- nor this server write anything to disk for it.
local function mark(guard)
    redis.set_repl(redis.REPL_NONE)
    call('SET', guard, '')
    redis.set_repl(redis.REPL_REPLICA)
    call('DEL', guard)
    redis.set_repl(redis.REPL_ALL)
end

-- Batches of one home, each of which happens if all that it expects holds. Answers 1 or 0 for each.
local function commit(keys, args)
    local next = reader(args)
    local now = tonumber(next())
    local found = places(keys, next, now)
    local results = {}
    for _, place in ipairs(found) do
        if place.chunk and place:top() == SEALED then
            return redis.error_reply('SEALED ' .. string.match(place.chunk, '%d+c%x+$'))
        end
    end
    for batch = 1, tonumber(next()) do
        local held = true
        for _ = 1, tonumber(next()) do
            local place, rest, state = found[tonumber(next())], next(), next()
            held = held and holds(place, rest, state)
        end
        for _ = 1, tonumber(next()) do
            local place, rest = found[tonumber(next())], next()
            if held then place:delete(rest) end
        end
        for _ = 1, tonumber(next()) do
            local place, rest, value = found[tonumber(next())], next(), next()
            if held then place:put(rest, value) end
        end
        results[batch] = held and 1 or 0
    end
    local changed = false
    for _, place in ipairs(found) do
        place:finish()
        changed = changed or place.changed
    end
    -- What was judged without a change may rest on what others have only just written.
    if not changed then mark(keys[1]) end
    return results
end

-- Single rows of a log. Keys: the guard, then chunks. Arguments: now, `x` or `-`, then one offset for each chunk.
local function get_log(keys, args)
    local now, expires = tonumber(args[1]), args[2] == 'x'
    local values = {}
    local text, loaded
    for i = 2, #keys do
        if keys[i] ~= loaded then
            loaded, text = keys[i], call('GET', keys[i]) or ''
        end
        local wanted = string.byte(args[i + 1])
        local name = sealed(text)
        values[i - 1] = name and { name } or false
        for offset, first, last in backwards(text) do
            if offset <= wanted then
                if offset == wanted then
                    values[i - 1] = live(string.sub(text, first, last), expires, now) or false
                end
                break
            end
        end
    end
    return values
end

local function hex(bytes)
    return (string.gsub(bytes, '.', function(byte)
        return string.format('%02x', string.byte(byte))
    end))
end

-- Both scans answer { where to go on, or nothing, rest, value, rest, value, ... }.

-- A page of a `Sorted` table. Keys: the guard, values, order. Arguments: now, `x` or `-`, the bounds in the scan's
-- direction, `REV` or nothing, most rows, about how many bytes.
local function scan(keys, args)
    local now, expires, reverse = tonumber(args[1]), args[2] == 'x', args[5] == 'REV'
    local limit, budget = tonumber(args[6]), tonumber(args[7])
    local range = { 'ZRANGE', keys[3], args[3], args[4], 'BYLEX' }
    if reverse then range[#range + 1] = 'REV' end
    local step = math.min(limit, 512)
    range[#range + 1] = 'LIMIT'
    range[#range + 1] = 0
    range[#range + 1] = step
    local rests = call(unpack(range))
    if #rests == 0 then return { false } end
    local values = call('HMGET', keys[2], unpack(rests))
    local page, bytes = { false }, 0
    for i, rest in ipairs(rests) do
        local value = live(values[i], expires, now)
        if value then
            page[#page + 1] = rest
            page[#page + 1] = value
            bytes = bytes + #rest + #value
        end
        if bytes >= budget and i < #rests then
            page[1] = rest
            return page
        end
    end
    if #rests == step then page[1] = rests[#rests] end
    return page
end

-- A page of a log. Keys: the guard, the index; chunks have the name of `prefix` and their number in hex, and lie in the
-- same slot. A chunk that is sealed comes as a row whose place none has, and ends the page.
-- Arguments: now, `x` or `-`, the prefix, first chunk, first offset, last chunk, last offset (both
-- inclusive, first below last), `REV` or nothing, most rows, about how many bytes. A rest is chunk number and offset.
local function scan_log(keys, args)
    local now, expires, prefix = tonumber(args[1]), args[2] == 'x', args[3]
    local first, last, reverse = args[4], args[6], args[8] == 'REV'
    local first_offset, last_offset = string.byte(args[5]), string.byte(args[7])
    local limit, budget = tonumber(args[9]), tonumber(args[10])
    local low, high = '[' .. first, '[' .. last
    local step = math.min(math.floor(limit / ROWS) + 2, 64)
    local members
    if reverse then
        members = call('ZRANGE', keys[2], high, low, 'BYLEX', 'REV', 'LIMIT', 0, step)
    else
        members = call('ZRANGE', keys[2], low, high, 'BYLEX', 'LIMIT', 0, step)
    end
    local page, bytes, taken = { false }, 0, 0
    for m, member in ipairs(members) do
        local text = call('GET', prefix .. hex(member)) or ''
        local name = sealed(text)
        if name then
            page[#page + 1] = member .. string.char(SEALED)
            page[#page + 1] = name
            page[1] = member .. string.char(reverse and 0 or ROWS - 1)
            return page
        end
        local from = member == first and first_offset or 0
        local to = member == last and last_offset or ROWS - 1
        local found = {}
        for offset, start, stop in backwards(text) do
            if offset < from then break end
            if offset <= to then
                local value = live(string.sub(text, start, stop), expires, now)
                if value then found[#found + 1] = { string.char(offset), value } end
                if reverse and taken + #found >= limit then break end
            end
        end
        local order, stop, by = 1, #found, 1
        if not reverse then order, stop, by = #found, 1, -1 end
        for i = order, stop, by do
            page[#page + 1] = member .. found[i][1]
            page[#page + 1] = found[i][2]
            taken = taken + 1
            bytes = bytes + #found[i][2]
            if taken >= limit then return page end
            if bytes >= budget then
                page[1] = member .. found[i][1]
                return page
            end
        end
        if m == #members and #members == step then
            page[1] = member .. string.char(reverse and 0 or ROWS - 1)
        end
    end
    return page
end

-- Puts the name of an object in the place of the rows that it holds, if they are those, and if it is not too late.
-- Both this and what undoes it may be called twice. Keys: the guard, the chunk. Arguments: the SHA-1 of the chunk, the
-- name, milliseconds after which it is too late.
local function seal(keys, args)
    local text = call('GET', keys[2]) or ''
    if sealed(text) == args[2] then return 1 end
    if redis.sha1hex(text) ~= args[1] or call('TIME')[1] * 1000 > tonumber(args[3]) then return 0 end
    call('SET', keys[2], row(SEALED, args[2]), 'KEEPTTL')
    return 1
end

-- Puts the rows back, if the object's name is what is there. Arguments: the name, the rows.
local function unseal(keys, args)
    local text = call('GET', keys[2]) or ''
    if text == args[2] then return 1 end
    if sealed(text) ~= args[1] then return 0 end
    call('SET', keys[2], args[2], 'KEEPTTL')
    return 1
end

redis.register_function('linnet1_commit', commit)
redis.register_function('linnet1_seal', seal)
redis.register_function('linnet1_unseal', unseal)
-- The same for commits that only delete, which a full memory does not stop.
redis.register_function { function_name = 'linnet1_shrink', callback = commit, flags = { 'allow-oom' } }
redis.register_function {
    function_name = 'linnet1_mark',
    callback = function(keys)
        mark(keys[1])
        return 1
    end,
    flags = { 'allow-oom' },
}
redis.register_function { function_name = 'linnet1_get_log', callback = get_log, flags = { 'no-writes' } }
redis.register_function { function_name = 'linnet1_scan', callback = scan, flags = { 'no-writes' } }
redis.register_function { function_name = 'linnet1_scan_log', callback = scan_log, flags = { 'no-writes' } }
