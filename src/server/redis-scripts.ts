/**
 * What is done in Redis in one step, so that of two instances that want the same one has it. An instance lives as long as it gives signs
 * of life and its connection listens; the second is over at once when its process dies.
 */
import { createHash } from 'node:crypto';

/** For scripts that know instances. KEYS 1 to 3: those that live, those that carry lanes, what they say of themselves. ARGV 1: channel, 2: this one. */
const INSTANCES = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function listens(id) return redis.call('PUBSUB', 'NUMSUB', ARGV[1] .. id)[2] > 0 end
local function isIn(set, id)
  if id == ARGV[2] then return redis.call('ZSCORE', set, id) end
  return tonumber(redis.call('ZSCORE', set, id) or '0') > now and listens(id)
end
local function lives(id) return isIn(KEYS[1], id) end
`;

const OF_INSTANCES = {
  /** ARGV 3: life in ms, 4: what it says of itself, 5: carries lanes, 6: for the first time. */
  beat: `
local own = redis.call('ZSCORE', KEYS[1], ARGV[2])
if ARGV[6] == '0' and (not own or tonumber(own) <= now) then return 'lapsed' end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
if ARGV[5] == '1' then redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2]) else redis.call('ZREM', KEYS[2], ARGV[2]) end
redis.call('HSET', KEYS[3], ARGV[2], ARGV[4])
local all = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if lives(id) then all[#all + 1] = { id, redis.call('HGET', KEYS[3], id) or '' }
  else
    redis.call('ZREM', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
  end
end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], 12 * ARGV[3]) end
return all`,
  claim: `
local home = redis.call('HGET', KEYS[4], 'home')
if home and home ~= ARGV[2] and lives(home) then return { home, '' } end
redis.call('HSET', KEYS[4], 'home', ARGV[2])
redis.call('PEXPIRE', KEYS[4], ARGV[3])
return { '', redis.call('HGET', KEYS[4], 'record') or '' }`,
  claimFree: `
for i = 4, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    redis.call('HSET', KEYS[i], 'home', ARGV[2])
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
    return i - 3
  end
end
return 0`,
  find: `
local home = redis.call('HGET', KEYS[4], 'home')
if home and home ~= ARGV[2] and lives(home) then return home end
return ''`,
  hosted: `
local known, all = {}, {}
for i = 4, #KEYS do
  local found = redis.call('HMGET', KEYS[i], 'home', 'hosted')
  local home = found[1]
  if home and found[2] == '1' then
    if known[home] == nil then known[home] = lives(home) and true or false end
    if known[home] then all[#all + 1] = i - 3 end
  end
end
return all`,
  /** ARGV 4: the record, 5: whether there is a host. */
  keep: `
local home = redis.call('HGET', KEYS[4], 'home')
if home and home ~= ARGV[2] and lives(home) then return 0 end
redis.call('HSET', KEYS[4], 'home', ARGV[2], 'record', ARGV[4], 'hosted', ARGV[5])
redis.call('PEXPIRE', KEYS[4], ARGV[3])
return 1`,
  release: `
if redis.call('HGET', KEYS[4], 'home') == ARGV[2] then redis.call('DEL', KEYS[4]) end
return 1`,
  /** ARGV 4 and on: who might carry, the best first. */
  carrier: `
local chosen = redis.call('GET', KEYS[4])
if not (chosen and isIn(KEYS[2], chosen)) then
  chosen = nil
  for i = 4, #ARGV do
    if isIn(KEYS[2], ARGV[i]) then chosen = ARGV[i] break end
  end
end
if not chosen then return { '', '' } end
redis.call('SET', KEYS[4], chosen, 'PX', ARGV[3])
return { chosen, redis.call('HGET', KEYS[3], chosen) or '' }`,
  hold: `
local chosen = redis.call('GET', KEYS[4])
if chosen and chosen ~= ARGV[2] and isIn(KEYS[2], chosen) then return 0 end
redis.call('SET', KEYS[4], ARGV[2], 'PX', ARGV[3])
return 1`,
};

const OF_KEYS = {
  /** KEYS as above; ARGV 1: who. */
  leave: `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return 1`,
  /** ARGV 1: an hour. */
  hit: `
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { count, redis.call('PTTL', KEYS[1]) }`,
  put: `
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
return 1`,
  get: `return redis.call('GET', KEYS[1]) or ''`,
  take: `
local value = redis.call('GET', KEYS[1]) or ''
redis.call('DEL', KEYS[1])
return value`,
};

export type ScriptName = keyof typeof OF_INSTANCES | keyof typeof OF_KEYS;

/** Those that get the keys and the arguments of `INSTANCES` first. */
export const INSTANCE_SCRIPTS: ReadonlySet<string> = new Set(Object.keys(OF_INSTANCES));

const loaded = (text: string) => ({ text, sha: createHash('sha1').update(text).digest('hex') });

export const SCRIPTS = Object.fromEntries([
  ...Object.entries(OF_INSTANCES).map(([name, text]) => [name, loaded(INSTANCES + text)]),
  ...Object.entries(OF_KEYS).map(([name, text]) => [name, loaded(text)]),
]) as Record<ScriptName, { text: string; sha: string }>;
