import { script } from './script.ts';

/**
 * The compare-and-set of commits, all of them or none. A row has to stand at the start of its range under the claim, and the history
 * has to end there: a row that was moved by hand while nobody looked would otherwise leave a hole or an overlap that no one
 * declared (I1). For that only the newest row of the history is needed, whatever became of older ones.
 *
 * Contiguous batch ranges of one claim merge into the newest row, up to a minute of batch time or a million records. KEYS[1] has
 * the orders. Refuses with the number of the commit (from 1), its row and the newest row of its history.
 */
export const commitScript = script(`
  local counts = {'records', 'produced', 'rows', 'dropped', 'skipped', 'deadLettered'}

  local function merges(newest, row, op)
    local late = tonumber(op.batchTime) - tonumber(newest.batchTime)
    return newest.kind == 'batch' and op.kind == 'batch' and newest.epoch == row.epoch and newest.incarnation == row.incarnation
      and late >= 0 and late < 60000 and compare(add(newest.records, op.records), '1000000') <= 0
  end

  for number, op in ipairs(args) do
    requireNumbers(op, 'from', 'until', 'batchTime', unpack(counts))
    if compare(op.from, op['until']) > 0 then refuse('argument', 'the range ends before it begins') end
    local key, newestKey = KEYS[op.offsets], KEYS[op.newest]
    local row = load(key, op.partition, 'row')
    local newest = load(newestKey, op.partition, 'range')
    local function refuseThis(why)
      refuse(why, tostring(number), row and cjson.encode(row) or '', newest and cjson.encode(newest) or '')
    end
    if not row or row.claim ~= op.claim then refuseThis('fenced') end
    if row.next ~= op.from then refuseThis('moved') end
    if newest then
      local order = compare(newest.incarnation, row.incarnation)
      if order > 0 or order == 0 and newest['until'] ~= op.from then refuseThis('tampered') end
    end
    if newest and merges(newest, row, op) then
      for _, name in ipairs(counts) do newest[name] = add(newest[name], op[name]) end
      newest['until'], newest.at = op['until'], now
      save(newestKey, op.partition, newest)
    elseif op['until'] ~= op.from then
      local range = plainRange(op.kind, row.incarnation, row.epoch, op.from, op['until'], row.owner, op.reason)
      for _, name in ipairs(counts) do range[name] = op[name] end
      range.batchTime = op.batchTime
      append(newestKey, KEYS[op.history], op.partition, range)
    end
    row.next, row.changed = op['until'], now
    if op.leaderEpoch >= 0 then row.leaderEpoch = op.leaderEpoch end
    save(key, op.partition, row)
    if op.kind == 'gap' then endSkips(KEYS[1], op, op['until']) end
  end
  flush()
  return {'done'}
`);
