/**
 * What a person has set is put before what is typed. So what is typed wins, and what the environment says too.
 */
import { existsSync } from 'node:fs';
import { type Command, FLAGS, RECEIVER_ONLY } from './flags.ts';
import type { Env } from './options.ts';
import { settingsPath } from './settings.ts';

const COMMANDS_WITH: readonly string[] = ['send', 'receive', 'listen', 'doctor'] satisfies Command[];
/** Of these a setting would mean something else than in the file. */
const NOT_FOR: Readonly<Record<string, readonly string[]>> = {
  send: RECEIVER_ONLY,
  listen: ['overwrite'],
};
/** What is typed that makes a setting pointless. */
const YIELDS: Readonly<Record<string, readonly string[]>> = {
  overwrite: ['update'],
  'no-receipt': ['receipt'],
  'no-dht': ['dht-bootstrap'],
};
/** What a URL is received with. */
const FOR_URLS: readonly string[] = ['to', 'overwrite', 'limit', 'wait', 'proxy', 'no-receipt'];

/** The command line and the environment, with what the file adds. @throws BeelineError USAGE for a mistake in it, UNREADABLE, DAMAGED */
export async function settled(
  argv: readonly string[],
  env: Env,
): Promise<{ argv: readonly string[]; env: Env }> {
  const [command = '', ...rest] = argv;
  const end = rest.indexOf('--');
  const typed = new Set(
    rest
      .slice(0, end < 0 ? rest.length : end)
      .filter((word) => word.startsWith('-'))
      .map((word) => word.replace(/^--/, '').split('=')[0]!),
  );
  const asks = ['help', '-h', 'version', '-V'].some((name) => typed.has(name));
  if (!COMMANDS_WITH.includes(command) || asks) return { argv, env };
  const path = settingsPath(env, configDirIn(rest));
  if (!existsSync(path)) return { argv, env };
  const { readSettings } = await import('./configuration.ts');
  const texts = await readSettings(path);
  const url = command === 'receive' && rest.some((word) => /^https?:\/\/(?!.*#\d+-)/i.test(word));
  const words: string[] = [];
  let more: Env = {};
  for (const [name, text] of texts) {
    if (!(name in FLAGS[command as Command]) || NOT_FOR[command]?.includes(name)) continue;
    if ((url && !FOR_URLS.includes(name)) || YIELDS[name]?.some((other) => typed.has(other))) continue;
    if (name === 'no-dht' && env.BEELINE_DHT) continue;
    // A link's server is meant before this one, as before that of the environment.
    if (name === 'server') more = env.BEELINE_SERVER ? {} : { BEELINE_SERVER: String(text) };
    else words.push(text === true ? `--${name}` : `--${name}=${text}`);
  }
  return { argv: [command, ...words, ...rest], env: { ...env, ...more } };
}

/** As it is typed: the file is read before anything else. */
function configDirIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === '--config-dir' || word.startsWith('--config-dir='));
  if (at < 0) return undefined;
  return words[at]!.includes('=') ? words[at]!.slice('--config-dir='.length) : words[at + 1];
}
