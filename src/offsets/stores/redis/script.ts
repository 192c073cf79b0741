import { createHash } from 'node:crypto';
import { prelude } from './prelude.ts';

/** A script of the server, known there by the SHA-1 of its text. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** A script out of the body of its function `main(args)`, which returns the answer or calls `refuse`. */
export function script(body: string): Script {
  const text = `${prelude}
local function main(args)
${body}
end
${ending}`;
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** A refusal is an answer. Any other error, of a command or of Lua, goes on as the server would have given it. */
const ending = `
local ok, answer = pcall(main, cjson.decode(ARGV[2]))
if ok then return answer end
if type(answer) == 'string' then return redis.error_reply(answer) end
return answer
`;
