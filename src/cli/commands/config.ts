/** `beeline config`: the person's own settings. What is listed is its product: on stdout. */

import { existsSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { escapeName } from '../../base/printable.ts';
import { hint } from '../../base/suggestion.ts';
import { whileLocked, writePrivate } from '../../identity/config-folder.ts';
import { parse, usage } from '../args.ts';
import { changedSettings, readSettings } from '../configuration.ts';
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import { printer } from '../json.ts';
import { configDir } from '../options.ts';
import { SETTINGS, settingsPath } from '../settings.ts';
import { homePath } from '../values.ts';

const VERBS = ['list', 'get', 'set', 'unset', 'path'];
const NAMES = Object.keys(SETTINGS);

/** A folder is meant from here, or from the home folder. Neither nothing nor stdout is one. */
const settingOf = (name: string, value: string) =>
  name === 'to' && !['', '-'].includes(value) && homePath(value) === value ? resolve(value) : value;

/** Resolves to the exit code. @throws BeelineError */
export async function configCommand(argv: readonly string[], host: Host): Promise<number> {
  const { flags, positionals } = parse('config', argv);
  const [verb = 'list', ...rest] = positionals;
  const json = flags.json ?? false;
  const print = printer(host.stdout, json);
  const path = settingsPath(host.env, configDir(flags, host.env));
  const many = { list: 0, path: 0, get: 1, unset: 1, set: 2 }[verb];
  if (many === undefined)
    throw usage('config', `There is no \`beeline config ${escapeName(verb)}\`.${hint(verb, VERBS)}`);
  if (rest.length !== many)
    throw usage(
      'config',
      `\`beeline config ${verb}\` takes ${['nothing more', 'a NAME', 'a NAME and a VALUE'][many]}.`,
    );
  const [name = '', value = ''] = rest;
  if (many > 0 && !Object.hasOwn(SETTINGS, name))
    throw usage(
      'config',
      `There is no setting ${escapeName(name)}.${hint(name, NAMES)} There are ${NAMES.join(', ')}.`,
    );
  if (verb === 'path') print({ event: 'path', path }, path);
  else if (verb === 'list') {
    const found = await readSettings(path);
    if (found.size === 0 && !json)
      print({}, `Nothing is set. \`beeline config set NAME VALUE\` writes ${path}.`);
    for (const [one, text] of found) print({ event: 'setting', name: one, value: text }, `${one}: ${text}`);
  } else if (verb === 'get') {
    const text = (await readSettings(path)).get(name);
    if (text !== undefined) print({ event: 'setting', name, value: text }, String(text));
  }
  // The file is read and written in one turn: two at once lose nothing.
  else
    await whileLocked(dirname(path), async () => {
      const setting = verb === 'set' ? settingOf(name, value) : undefined;
      const changed = await changedSettings(path, name, setting);
      // Where it is a link, what it leads to is replaced: the link is the person's.
      if (changed !== undefined) await writePrivate(existsSync(path) ? realpathSync(path) : path, changed);
    });
  return EXIT_DONE;
}
