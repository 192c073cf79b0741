import { script } from './script.ts';

/** Looks at the version of the layout, and writes it where there is none and `create` is set. Answers what was there, or ''. */
export const openScript = script(`
  local found = redis.call('GET', KEYS[1])
  if found and not isNumber(found) then refuse('damaged', KEYS[1], 'it is no version') end
  if not found and args.create then redis.call('SET', KEYS[1], args.version) end
  return {'done', found or ''}
`);

/** Answers the time in microseconds, then of each hash its fields and values. */
export const readScript = script(`
  local answer = {'done', now}
  for _, key in ipairs(KEYS) do answer[#answer + 1] = redis.call('HGETALL', key) end
  return answer
`);

export const beatScript = script(`
  redis.call('HSET', KEYS[1], args.instanceId,
    cjson.encode({host = args.host, bootId = args.bootId, pid = args.pid, seen = now}))
  return {'done'}
`);

/**
 * Sets fields of rows, each only where the row has the values of `when`. `raises`: takes the claim away, with the next epoch;
 * `claims`: the next epoch, and a parked partition is tried again. Answers the time, then the rows as they are, '' for one that is not
 * there: what carries the wanted values is as the caller wants it, also when an answer was lost and this is the repetition.
 */
export const changeScript = script(`
  local answer = {'done', now}
  for _, op in ipairs(args) do
    local key = KEYS[op.offsets]
    local row = load(key, op.partition, 'row')
    local fits = row and true
    for name, value in pairs(op.when) do fits = fits and row[name] == value end
    if fits then
      if op.raises then interrupt(row) end
      if op.claims then
        row.epoch = add(row.epoch, '1')
        wake(row)
      end
      for name, value in pairs(op.set) do row[name] = value end
      row.changed = now
      save(key, op.partition, row)
    end
    answer[#answer + 1] = row and cjson.encode(row) or ''
  end
  flush()
  return answer
`);

/** Rows that are not there yet, each with the row from which its history is contiguous. */
export const initialiseScript = script(`
  for _, op in ipairs(args) do
    requireNumbers(op, 'next')
    local key, newestKey = KEYS[op.offsets], KEYS[op.newest]
    if not load(key, op.partition, 'row') then
      local past = load(newestKey, op.partition, 'range')
      local incarnation, epoch = add(past and past.incarnation or '0', '1'), past and past.epoch or '0'
      save(key, op.partition, {next = op.next, claim = cjson.null, owner = cjson.null, epoch = epoch, topicId = op.topicId,
        leaderEpoch = -1, incarnation = incarnation, state = 'running', reason = cjson.null, changed = now})
      append(newestKey, KEYS[op.history], op.partition,
        plainRange('base', incarnation, epoch, op.next, op.next, cjson.null, 'first position'))
      write('SADD', KEYS[1], op.topic)
    end
  end
  flush()
  return {'done'}
`);
