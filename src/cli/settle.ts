/**
 * What a person has set is put before what is typed. So what is typed wins, and what the environment says too.
 */
import { BeelineError, retold } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { parse } from './args.ts';
import { type Command, FLAGS, RECEIVER_ONLY } from './flags.ts';
import type { Env } from './options.ts';
import { isThere, settingsPath } from './settings.ts';
import { homePath, isFileUrl } from './values.ts';

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
const WITHOUT = 'With BEELINE_CONFIG=off the file is not read.';
/** What a URL is received with. */
const FOR_URLS: readonly string[] = ['to', 'overwrite', 'limit', 'wait', 'proxy', 'no-receipt'];

export interface Settled {
  argv: readonly string[];
  env: Env;
  /** An error about flags of which some stand in the file, with its name. */
  locate(error: unknown): unknown;
}

/** The command line and the environment, with what the file adds. @throws BeelineError USAGE for a mistake in it, UNREADABLE, DAMAGED */
export async function settled(argv: readonly string[], env: Env): Promise<Settled> {
  const [command = '', ...rest] = argv;
  const plain = { argv, env, locate: (error: unknown) => error };
  const end = rest.indexOf('--');
  const typed = new Set(
    rest
      .slice(0, end < 0 ? rest.length : end)
      .filter((word) => word.startsWith('-'))
      .map((word) => word.replace(/^--/, '').split('=')[0]!),
  );
  const asks = ['help', '-h', 'version', '-V'].some((name) => typed.has(name));
  const delivers = command === 'outbox' && positionalsOf('outbox', rest)[0] === 'send';
  if ((!COMMANDS_WITH.includes(command) && !delivers) || asks || isOff(env)) return plain;
  const path = settingsPath(env, configDirIn(rest));
  if (!isThere(path)) return plain;
  const { readSettings } = await import('./configuration.ts');
  const texts = await readSettings(path);
  const url = command === 'receive' && positionalsOf('receive', rest).some(isFileUrl);
  const words: string[] = [];
  const added: string[] = [];
  let more: Env = {};
  for (const [name, text] of texts) {
    if (!(name in FLAGS[command as Command]) || NOT_FOR[command]?.includes(name)) continue;
    // A wait that is set is one for the other side that was lost.
    if (delivers && name !== 'proxy') continue;
    if ((url && !FOR_URLS.includes(name)) || YIELDS[name]?.some((other) => typed.has(other))) continue;
    if (name === 'no-dht' && env.BEELINE_DHT) continue;
    // A link's server is meant before this one, as before that of the environment.
    if (name === 'server') more = env.BEELINE_SERVER ? {} : { BEELINE_SERVER: String(text) };
    else {
      words.push(text === true ? `--${name}` : `--${name}=${text}`);
      if (!typed.has(name)) added.push(name);
    }
  }
  return {
    argv: [command, ...words, ...rest],
    env: { ...env, ...more },
    locate(error) {
      if (!(error instanceof BeelineError) || error.code !== 'USAGE') return error;
      const named = new Set([...error.message.matchAll(/--([a-z-]+)/g)].map(([, flag]) => flag));
      const there = added.filter((name) => named.has(name));
      if (there.length === 0) return error;
      const which = there.map((name) => `--${name}`).join(' and ');
      const found = `${which} ${there.length === 1 ? 'is' : 'are'} set in ${escapeName(path)}. ${WITHOUT}`;
      return retold(error, `${error.message} ${found}`);
    },
  };
}

/** What is wrong with the rest is told by the command. */
function positionalsOf(command: Command, words: readonly string[]): readonly string[] {
  try {
    return parse(command, words).positionals;
  } catch {
    return [];
  }
}

/** @throws BeelineError USAGE */
function isOff({ BEELINE_CONFIG: said }: Env): boolean {
  if (!said || said === 'off') return said === 'off';
  throw new BeelineError(
    'USAGE',
    'BEELINE_CONFIG is `off` or absent. Another folder for the file is named by BEELINE_CONFIG_DIR.',
  );
}

/** As it is typed: the file is read before anything else. */
function configDirIn(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === '--config-dir' || word.startsWith('--config-dir='));
  if (at < 0) return undefined;
  const given = words[at]!.includes('=') ? words[at]!.slice('--config-dir='.length) : words[at + 1];
  return given === undefined ? undefined : homePath(given);
}
