/**
 * What every script begins with. Nothing rolls back in Redis, so a script only notes what it is going to write and writes when all
 * has been checked: `flush` comes last. ARGV[1] has the types of KEYS, ARGV[2] the arguments, both as JSON.
 *
 * 64-bit numbers are decimal strings throughout: Lua's numbers are doubles, which lose the last digits from 2^53 on. They are told
 * apart by `==`, compared by `compare` and added by `add`.
 *
 * An answer is a list of strings. The first one is `done`, or says why nothing was changed.
 */
export const prelude = `
local function refuse(...) error({...}, 0) end

local function compare(a, b)
  if #a ~= #b then return #a < #b and -1 or 1 end
  for from = 1, #a, 15 do
    local x, y = tonumber(a:sub(from, from + 14)), tonumber(b:sub(from, from + 14))
    if x ~= y then return x < y and -1 or 1 end
  end
  return 0
end

local function add(a, b)
  local sum, carry = '', 0
  while #a > 0 or #b > 0 or carry > 0 do
    local part = tonumber('0' .. a:sub(-14)) + tonumber('0' .. b:sub(-14)) + carry
    a, b = a:sub(1, -15), b:sub(1, -15)
    carry = part >= 1e14 and 1 or 0
    sum = string.format('%014.0f', part - carry * 1e14) .. sum
  end
  sum = sum:gsub('^0+', '')
  return sum == '' and '0' or sum
end

local function isNumber(text)
  if type(text) ~= 'string' or not (text == '0' or text:find('^[1-9]%d*$')) then return false end
  return #text < 19 or #text == 19 and compare(text, '9223372036854775807') <= 0
end

local function requireNumbers(of, ...)
  for _, name in ipairs({...}) do
    if not isNumber(of[name]) then refuse('argument', name .. ' is ' .. tostring(of[name])) end
  end
end

for index, kind in ipairs(cjson.decode(ARGV[1])) do
  local found = redis.call('TYPE', KEYS[index]).ok
  if found ~= 'none' and found ~= kind then return {'damaged', KEYS[index], 'it is a ' .. found .. ', not a ' .. kind} end
end

local time = redis.call('TIME')
local now = time[1] .. string.format('%06d', tonumber(time[2]))

local numbersOf = {
  row = {'next', 'epoch', 'incarnation', 'changed'},
  range = {'seq', 'incarnation', 'from', 'until', 'records', 'produced', 'rows', 'dropped', 'skipped', 'deadLettered', 'epoch',
           'batchTime', 'at'},
  control = {'id', 'at'},
}

local function parse(key, field, text, kind)
  local ok, found = pcall(cjson.decode, text)
  if not ok or type(found) ~= 'table' then refuse('damaged', key, field .. ' is not JSON') end
  for _, name in ipairs(numbersOf[kind]) do
    if not isNumber(found[name]) then refuse('damaged', key, name .. ' of ' .. field .. ' is not a number') end
  end
  return found
end

local fields, writes = {}, {}

-- What a field of a hash holds, as it is after the writes that were noted; false for nothing.
local function load(key, field, kind)
  local path = field .. ' ' .. key
  if fields[path] == nil then
    local text = redis.call('HGET', key, field)
    fields[path] = text and parse(key, field, text, kind)
  end
  return fields[path]
end

local function write(...) writes[#writes + 1] = {...} end

local function save(key, field, value)
  fields[field .. ' ' .. key] = value
  write('HSET', key, field, cjson.encode(value))
end

local function drop(key, field)
  fields[field .. ' ' .. key] = false
  write('HDEL', key, field)
end

local function flush()
  for _, one in ipairs(writes) do redis.call(unpack(one)) end
end

local lastIds = {}

local function lastSeq(stream)
  if lastIds[stream] == nil then
    lastIds[stream] = '0'
    if redis.call('EXISTS', stream) == 1 then
      local facts = redis.call('XINFO', 'STREAM', stream)
      for index = 1, #facts, 2 do
        if facts[index] == 'last-generated-id' then lastIds[stream] = facts[index + 1]:match('^%d+') end
      end
    end
  end
  return lastIds[stream]
end

-- Makes a row the newest of a history; the one that was it goes into the stream, of which the oldest entries may go.
local historyMax = 1000
local function append(newestKey, stream, partition, range)
  local newest = load(newestKey, partition, 'range')
  range.seq = add(newest and newest.seq or '0', '1')
  if newest then
    if compare(lastSeq(stream), newest.seq) >= 0 then refuse('damaged', stream, 'it goes on to ' .. lastSeq(stream) .. '-0') end
    lastIds[stream] = newest.seq
    write('XADD', stream, 'MAXLEN', historyMax - 1, newest.seq .. '-0', 'range', cjson.encode(newest))
  end
  save(newestKey, partition, range)
end

-- A row of the history of no records, that ends where it begins unless it is given an end.
local function plainRange(kind, incarnation, epoch, from, till, owner, reason)
  return {kind = kind, incarnation = incarnation, epoch = epoch, from = from, ['until'] = till, owner = owner, reason = reason,
          records = '0', produced = '0', rows = '0', dropped = '0', skipped = '0', deadLettered = '0',
          batchTime = add(now:sub(1, -4), '0'), at = now}
end

local function wake(row)
  if row.state == 'parked' then row.state, row.reason = 'running', cjson.null end
end

local function interrupt(row)
  row.claim, row.owner, row.epoch, row.changed = cjson.null, cjson.null, add(row.epoch, '1'), now
  wake(row)
end

-- Ends the orders that a function says are over.
local orders
local function endOrders(controls, isOver)
  if not orders then
    orders = {}
    local all = redis.call('HGETALL', controls)
    for index = 1, #all, 2 do orders[all[index]] = parse(controls, all[index], all[index + 1], 'control') end
  end
  for id, order in pairs(orders) do
    if isOver(order) then
      write('HDEL', controls, id)
      orders[id] = nil
    end
  end
end

local function endSkips(controls, of, position)
  endOrders(controls, function(order)
    return order.order == 'skip' and order.topic == of.topic and order.partition == of.partition
      and compare(order['until'], position) <= 0
  end)
end
`;
