import { script } from './script.ts';

const isAsSeen = `
  local function isAsSeen(row, seen)
    if not row or seen == cjson.null then return not row and seen == cjson.null end
    return row.next == seen.next and row.claim == seen.claim and row.epoch == seen.epoch
  end
`;

/**
 * Moves rows, all of them or none; answers the numbers (from 1) of those that are not as they were seen. What the history has of the
 * move already, one epoch on, is the work of an answer that was lost: it counts as moved. KEYS[1] has the topics, KEYS[2] the orders.
 */
export const moveScript = script(`
  ${isAsSeen}
  local function isMove(range, op)
    return range.kind == op.kind and range['until'] == op.to and range.reason == op.reason and range.owner == args.by
      and (op.seen == cjson.null or range.epoch == add(op.seen.epoch, '1'))
  end

  local function isDone(op)
    local newest = load(KEYS[op.newest], op.partition, 'range')
    if not newest or isMove(newest, op) then return newest and true end
    for _, entry in ipairs(redis.call('XREVRANGE', KEYS[op.history], '+', '-', 'COUNT', 100)) do
      if isMove(parse(KEYS[op.history], entry[1], entry[2][2], 'range'), op) then return true end
    end
    return false
  end

  local changed, done = {'changed'}, {}
  for number, op in ipairs(args.moves) do
    requireNumbers(op, 'to')
    local row = load(KEYS[op.offsets], op.partition, 'row')
    if not isAsSeen(row, op.seen) then
      done[number] = isDone(op)
      if not done[number] then changed[#changed + 1] = tostring(number) end
    elseif op.kind == 'gap' and compare(op.to, row.next) <= 0 then
      refuse('argument', 'a gap leads from ' .. row.next .. ' to ' .. op.to)
    end
  end
  if #changed > 1 then return changed end

  for number, op in ipairs(args.moves) do
    if not done[number] then
      local key, newestKey = KEYS[op.offsets], KEYS[op.newest]
      local newest = load(newestKey, op.partition, 'range')
      local row = load(key, op.partition, 'row')
        or {epoch = newest and newest.epoch or '0', incarnation = newest and newest.incarnation or '0'}
      local from = row.next
      if op.kind == 'reset' then
        from = op.to
        if newest and compare(newest.incarnation, row.incarnation) > 0 then row.incarnation = newest.incarnation end
        row.incarnation, row.topicId, row.leaderEpoch = add(row.incarnation, '1'), op.topicId, -1
      end
      row.next, row.claim, row.owner, row.epoch = op.to, cjson.null, cjson.null, add(row.epoch, '1')
      row.state, row.reason, row.changed = 'running', cjson.null, now
      save(key, op.partition, row)
      append(newestKey, KEYS[op.history], op.partition,
        plainRange(op.kind, row.incarnation, row.epoch, from, op.to, args.by, op.reason))
      write('SADD', KEYS[1], op.topic)
      endSkips(KEYS[2], op, op.to)
    end
  end
  flush()
  return {'done'}
`);

/** Removes rows, all or none; answers like a move. A row that is not there any more is removed. KEYS[1] has the orders. */
export const removeScript = script(`
  ${isAsSeen}
  local changed = {'changed'}
  for number, op in ipairs(args.rows) do
    local row = load(KEYS[op.offsets], op.partition, 'row')
    if row and not isAsSeen(row, op.seen) then changed[#changed + 1] = tostring(number) end
  end
  if #changed > 1 then return changed end

  for _, op in ipairs(args.rows) do
    local row = load(KEYS[op.offsets], op.partition, 'row')
    if row then
      append(KEYS[op.newest], KEYS[op.history], op.partition,
        plainRange('reset', row.incarnation, add(row.epoch, '1'), row.next, row.next, args.by, args.reason))
      drop(KEYS[op.offsets], op.partition)
      endOrders(KEYS[1], function(order) return order.topic == op.topic and order.partition == op.partition end)
    end
  end
  flush()
  return {'done'}
`);

/**
 * Keeps orders and takes the claims of the rows they are about. KEYS: topics, orders, id of the last order, then the rows of
 * `args.topics`, which have to be all topics there are: `again` when there are more by now. An order to skip what is committed
 * already is refused with its number and the row. `token` names this call: its repetition answers what the first one kept.
 */
export const orderScript = script(`
  if redis.call('SCARD', KEYS[1]) ~= #args.topics then return {'again'} end
  local kept = {'done'}
  local all = redis.call('HGETALL', KEYS[2])
  for index = 1, #all, 2 do
    if parse(KEYS[2], all[index], all[index + 1], 'control').token == args.token then kept[#kept + 1] = all[index + 1] end
  end
  if #kept > 1 then return kept end

  local last = redis.call('GET', KEYS[3]) or '0'
  if not isNumber(last) then refuse('damaged', KEYS[3], 'it is no number') end
  for number, order in ipairs(args.orders) do
    if order.order == 'skip' then
      requireNumbers(order, 'from', 'until')
      for index, topic in ipairs(args.topics) do
        local row = topic == order.topic and load(KEYS[index + 3], order.partition, 'row')
        if row and compare(row.next, order.from) > 0 then refuse('passed', tostring(number), cjson.encode(row)) end
      end
    end
    last = add(last, '1')
    order.id, order.by, order.at, order.token = last, args.by, now, args.token
    save(KEYS[2], last, order)
    kept[#kept + 1] = cjson.encode(order)
  end
  write('SET', KEYS[3], last)

  for index, topic in ipairs(args.topics) do
    local key = KEYS[index + 3]
    for _, partition in ipairs(redis.call('HKEYS', key)) do
      local isMeant = false
      for _, order in ipairs(args.orders) do
        isMeant = isMeant or (order.topic == cjson.null or order.topic == topic)
          and (order.partition == cjson.null or order.partition == partition)
      end
      if isMeant then
        local row = load(key, partition, 'row')
        interrupt(row)
        save(key, partition, row)
      end
    end
  end
  flush()
  return kept
`);

/**
 * Rows of histories: of each partition those above `above`, oldest first and `limit` together, or the newest ones, newest first and
 * `limit` of each. Answers the number of a partition before each row.
 */
export const historyScript = script(`
  local answer = {'done'}
  local function found(number, text)
    answer[#answer + 1] = tostring(number)
    answer[#answer + 1] = text
  end

  local left = args.limit
  for number, op in ipairs(args.of) do
    local newest = load(KEYS[op.newest], op.partition, 'range')
    if newest and left > 0 then
      if args.isNewestFirst then
        found(number, cjson.encode(newest))
        if left > 1 then
          for _, entry in ipairs(redis.call('XREVRANGE', KEYS[op.history], '+', '-', 'COUNT', left - 1)) do found(number, entry[2][2]) end
        end
      else
        for _, entry in ipairs(redis.call('XRANGE', KEYS[op.history], add(op.above, '1') .. '-0', '+', 'COUNT', left)) do
          found(number, entry[2][2])
          left = left - 1
        end
        if left > 0 and compare(newest.seq, op.above) > 0 then
          found(number, cjson.encode(newest))
          left = left - 1
        end
      end
    end
  end
  return answer
`);
