/** A person's own settings: which there are, and in which file they stand. */
import { lstatSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { BeelineError, codeOf, fault } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { userFolder } from '../identity/config-folder.ts';
import { FLAGS, type Flag } from './flags.ts';
import type { Env } from './options.ts';
import { homePath } from './values.ts';

const { server, proxy, overwrite, limit, lanes, relay, wait } = FLAGS.receive;

/** The same folder, wherever the command is run. */
const to: Flag<string> = {
  ...FLAGS.receive.to,
  read(name, given) {
    const path = homePath(given);
    if (isAbsolute(path)) return path;
    throw new BeelineError(
      'USAGE',
      `${name} must be a whole path, such as /home/me/Downloads or ~/Downloads.`,
    );
  },
};

/** What may stand in the file: flags of this name. */
export const SETTINGS: Readonly<Record<string, Flag>> = {
  ...{ server, proxy, to, overwrite, limit, lanes, relay, wait },
  'no-lan': FLAGS.receive['no-lan'],
  'no-dht': FLAGS.receive['no-dht'],
  'no-port-map': FLAGS.receive['no-port-map'],
  'no-receipt': FLAGS.receive['no-receipt'],
  qr: FLAGS.send.qr,
};

export function settingsPath(env: Env, configDir?: string): string {
  return join(configDir || userFolder('CONFIG', env), 'config.yaml');
}

/** A link that leads nowhere is there too: what it should lead to is missed. @throws BeelineError UNREADABLE */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return false;
    throw fault(
      'FILE_UNREADABLE',
      { path: escapeName(path), why: codeOf(cause) || String(cause) },
      { cause },
    );
  }
}
