import { createHash } from "node:crypto";
import { ErrorReply } from "redis";
import type { RedisClient } from "./redis-connection.ts";

/** A Lua script, run as one step: nothing of anybody else comes between. */
export interface Script {
  readonly text: string;
  readonly digest: string;
}

const script = (text: string): Script => ({ text, digest: createHash("sha1").update(text).digest("hex") });

/**
 * All writes or none. KEYS: values, revisions, order, log of appends, the commit's own mark, then the streams.
 * ARGV: how long the mark is kept (seconds), then five to a write: kind, key, expected revision ("" for any), value,
 * index of the stream in KEYS. The mark makes a commit that is sent again, because its answer was lost, happen once.
 */
export const COMMIT = script(`
local values, revisions, order, log, mark = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
if redis.call('EXISTS', mark) == 1 then return 1 end
for i = 2, #ARGV, 5 do
  if ARGV[i + 2] ~= '' and (redis.call('HGET', revisions, ARGV[i + 1]) or '0') ~= ARGV[i + 2] then return 0 end
end
for i = 2, #ARGV, 5 do
  local kind, key, value = ARGV[i], ARGV[i + 1], ARGV[i + 3]
  if kind == 'put' then
    redis.call('HSET', values, key, value)
    redis.call('HINCRBY', revisions, key, 1)
    redis.call('ZADD', order, 0, key)
  elseif kind == 'delete' then
    redis.call('HDEL', values, key)
    redis.call('HDEL', revisions, key)
    redis.call('ZREM', order, key)
  elseif kind == 'drop' then
    redis.call('UNLINK', KEYS[tonumber(ARGV[i + 4])])
  else
    redis.call('XADD', KEYS[tonumber(ARGV[i + 4])], '0-*', 'v', value)
    redis.call('XADD', log, 'MAXLEN', '~', 10000, '*', 's', key)
  end
end
redis.call('SET', mark, 1, 'EX', ARGV[1])
return 1
`);

/** Key, revision and value of each entry of a range. KEYS: values, revisions, order. ARGV: start, end, limit, REV or "". */
export const LIST = script(`
local range = {'ZRANGE', KEYS[3], ARGV[1], ARGV[2], 'BYLEX'}
if ARGV[4] == 'REV' then range[#range + 1] = 'REV' end
for _, word in ipairs({'LIMIT', 0, ARGV[3]}) do range[#range + 1] = word end
local keys, rows = redis.call(unpack(range)), {}
for first = 1, #keys, 1000 do
  local last = math.min(first + 999, #keys)
  local found = redis.call('HMGET', KEYS[1], unpack(keys, first, last))
  local counted = redis.call('HMGET', KEYS[2], unpack(keys, first, last))
  for i = first, last do
    rows[#rows + 1] = keys[i]
    rows[#rows + 1] = counted[i - first + 1]
    rows[#rows + 1] = found[i - first + 1]
  end
end
return rows
`);

/** Runs a script by its digest; one that Redis does not know (any more) is sent as text. */
export async function runScript(
  client: RedisClient,
  { text, digest }: Script,
  keys: readonly string[],
  args: readonly (string | Buffer)[],
): Promise<unknown> {
  const rest = [String(keys.length), ...keys, ...args];
  try {
    return await client.sendCommand(["EVALSHA", digest, ...rest]);
  } catch (error) {
    if (!(error instanceof ErrorReply) || !error.message.startsWith("NOSCRIPT")) throw error;
    return client.sendCommand(["EVAL", text, ...rest]);
  }
}
