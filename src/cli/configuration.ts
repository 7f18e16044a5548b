/**
 * Flags in a YAML file, under the same names and read by the same functions as those that are typed: those of `beeline server --config`, and a
 * person's own settings. The file is checked whole, and each mistake is told with its line.
 */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { BeelineError, fault } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { hint } from '../base/suggestion.ts';
import { type FileRules, readPrivate } from '../identity/config-folder.ts';
import { FLAGS, type Flag, type FlagValues } from './flags.ts';
import { formatBytes } from './format.ts';
import { Mistakes } from './mistakes.ts';
import { readBounded } from './secrets.ts';
import { isThere, SETTINGS } from './settings.ts';

/** Bytes. All flags with all their values take a few KiB. */
const MOST_BYTES = 64 * 1024;
/** Of a person's own settings: it says where to send, and by whom. */
const RULES: FileRules = { max: MOST_BYTES, forbidden: 0o022, ownOnly: true };
/** More mistakes than that are of one kind. */
const MOST_TOLD = 10;

export interface ServerConfiguration {
  readonly flags: FlagValues<'server'>;
  /** An error about flags of which some stand in the file, with their lines. */
  locate(error: unknown): unknown;
}

/** @throws BeelineError USAGE for what is in it, NO_SUCH_PATH, UNREADABLE */
export async function readConfiguration(path: string): Promise<ServerConfiguration> {
  const bytes = await readBounded('--config', path, MOST_BYTES);
  if (bytes.length > MOST_BYTES)
    throw new BeelineError(
      'USAGE',
      `--config ${escapeName(path)}: it has more than ${formatBytes(MOST_BYTES)}.`,
    );
  return parseConfiguration(bytes.toString('utf8'), escapeName(path));
}

/** @param name of the file, for what is told @throws BeelineError USAGE */
export function parseConfiguration(text: string, name: string): ServerConfiguration {
  const reader = new Reader(text, name, FLAGS.server);
  reader.read();
  const { flags, lines } = reader;
  return {
    flags: Object.fromEntries(flags) as FlagValues<'server'>,
    locate(error) {
      if (!(error instanceof BeelineError) || error.code !== 'USAGE') return error;
      const named = [...error.message.matchAll(/--([a-z-]+)/g)].map(([, flag]) => lines.get(flag!));
      const there = [...new Set(named.filter((line) => line !== undefined))].sort((a, b) => a - b);
      if (there.length === 0) return error;
      const where = there.map((line) => `${name}:${line}`).join(', ');
      return new BeelineError('USAGE', `${where}: ${error.message}`, { cause: error });
    },
  };
}

/**
 * The settings of a person: each as it would be typed, a switch as true. None where there is no file.
 * @throws BeelineError USAGE for what is in it, and where others may write it, DAMAGED (too large), UNREADABLE
 */
export async function readSettings(path: string): Promise<ReadonlyMap<string, string | true>> {
  return parseSettings(await settingsText(path), escapeName(path));
}

async function settingsText(path: string): Promise<string> {
  const text = await readPrivate(path, RULES);
  if (text === undefined && isThere(path))
    throw fault('FILE_UNREADABLE', { path: escapeName(path), why: 'it is a link that leads nowhere' });
  return text ?? '';
}

/** @param name of the file, for what is told @throws BeelineError USAGE */
export function parseSettings(text: string, name: string): ReadonlyMap<string, string | true> {
  const reader = new Reader(text, name, SETTINGS);
  reader.read();
  return reader.texts;
}

/**
 * The file's text with a setting changed; comments stay. Undefined where there is nothing to change.
 * @param value undefined: none any more
 * @throws BeelineError as `readSettings`
 */
export async function changedSettings(
  path: string,
  name: string,
  value: string | undefined,
): Promise<string | undefined> {
  const text = await settingsText(path);
  // A file with a mistake is not made worse.
  parseSettings(text, escapeName(path));
  const document = parseDocument(text, { uniqueKeys: false });
  // No file, or one of comments only.
  if (value === undefined && !isMap(document.contents)) return undefined;
  if (value === undefined) document.delete(name);
  else document.set(name, settingIn(name, value));
  const empty = isMap(document.contents) && document.contents.items.length === 0;
  return empty ? '' : document.toString();
}

/** As it stands in the file. @throws BeelineError USAGE */
function settingIn(name: string, value: string): string | boolean {
  const { read } = SETTINGS[name]!;
  if (!read && !['true', 'false'].includes(value))
    throw new BeelineError('USAGE', `${name} ${escapeName(value)}: it must be true or false.`);
  if (!read) return value === 'true';
  if (value === '')
    throw new BeelineError('USAGE', `${name} needs a value. \`beeline config unset ${name}\` takes it back.`);
  read(name, value);
  return value;
}

class Reader {
  readonly flags = new Map<string, unknown>();
  /** Each as it would be typed; a switch that is on as true. */
  readonly texts = new Map<string, string | true>();
  /** Where each stands. */
  readonly lines = new Map<string, number>();
  readonly #text: string;
  readonly #name: string;
  readonly #counter = new LineCounter();
  readonly #known: ReadonlyMap<string, Flag>;
  readonly #mistakes: string[] = [];

  constructor(text: string, name: string, known: Readonly<Record<string, Flag>>) {
    this.#known = new Map(Object.entries(known));
    this.#text = text;
    this.#name = name;
  }

  /** @throws BeelineError USAGE with all mistakes */
  read(): void {
    const { contents, errors, warnings } = this.#document();
    // What the parser says after its first message is mostly about the same mistake.
    const [first] = [...errors, ...warnings];
    if (first) {
      // Of a line that is indented too far it names where the value before begins, and the line itself only here.
      const indented = errors.find(
        ({ code, pos }) => code === 'MULTILINE_IMPLICIT_KEY' && pos[0] === first.pos[0],
      );
      this.#wrong(indented?.pos[1] ?? first.pos[0], `this is no YAML: ${first.message}.`);
    }
    // What stands after a mistake of the form may mean anything.
    if (this.#mistakes.length === 0 && contents !== null && !isEmpty(contents)) this.#readAll(contents);
    if (this.#mistakes.length === 0) return;
    const told = this.#mistakes.slice(0, MOST_TOLD);
    const more = this.#mistakes.length - told.length;
    throw new Mistakes(more > 0 ? [...told, `And ${more} more.`] : told);
  }

  #document() {
    try {
      return parseDocument(this.#text, {
        lineCounter: this.#counter,
        prettyErrors: false,
        // Told here, in words of ours.
        uniqueKeys: false,
      });
    } catch (cause) {
      // Nested deeper than the stack: the file is small, but it is not ours.
      throw new BeelineError('USAGE', `${this.#name}: this cannot be read as YAML.`, { cause });
    }
  }

  #readAll(contents: Node): void {
    if (!isMap(contents))
      return this.#wrong(contents.range?.[0], 'the file has lines of the form `flag: value`.');
    for (const { key, value } of contents.items) {
      const at = (key as Node).range?.[0];
      const name = isScalar(key) ? String(key.value) : '';
      try {
        this.#readOne(name, value as Node | null, at);
      } catch (thrown) {
        this.#wrong((value as Node | null)?.range?.[0] ?? at, (thrown as Error).message);
      }
    }
  }

  #readOne(name: string, value: Node | null, at: number | undefined): void {
    const shown = escapeName(name);
    const flag = this.#known.get(name);
    if (!flag) {
      const names = [...this.#known].filter(([, { typedOnly }]) => !typedOnly).map(([known]) => known);
      return this.#wrong(at, `there is no ${shown || 'such name'}.${hint(name.replace(/^--/, ''), names)}`);
    }
    if (flag.typedOnly) return this.#wrong(at, `${shown} is not for this file: ${flag.typedOnly}.`);
    const line = this.#lineOf(at);
    const before = this.lines.get(name);
    if (before !== undefined) return this.#wrong(at, `${shown} is there twice, first in line ${before}.`);
    this.lines.set(name, line);
    if (!flag.read) {
      const on = isScalar(value) ? value.value : undefined;
      if (typeof on !== 'boolean') throw new Error(`${shown} is either true or false.`);
      if (on) this.flags.set(name, true);
      if (on) this.texts.set(name, true);
      return;
    }
    const nodes = flag.list && isSeq(value) ? (value.items as Node[]) : [value];
    const read = nodes.map((node) => flag.read!(shown, textOf(node, shown, flag)));
    this.flags.set(name, flag.list ? read.flat() : read[0]);
    this.texts.set(name, name === 'to' ? String(read[0]) : textOf(nodes[0]!, shown, flag));
  }

  #wrong(at: number | undefined, what: string): void {
    this.#mistakes.push(`${this.#name}:${this.#lineOf(at)}: ${what}`);
  }

  #lineOf(at = 0): number {
    return Math.max(1, this.#counter.linePos(at).line);
  }
}

/** A file of comments only. */
const isEmpty = (node: Node): boolean => isScalar(node) && node.value === null && !node.source;

/** What would be typed. @throws Error */
function textOf(node: Node | null, name: string, { value = 'VALUE', list }: Flag): string {
  const given = isScalar(node) ? node.value : undefined;
  if (typeof given === 'string' && given !== '') return given;
  // As it was written: a number is read by the flag's own rules, not by YAML's.
  if (isScalar(node) && (typeof given === 'number' || typeof given === 'bigint') && node.source)
    return node.source;
  throw new Error(`${name} needs ${list ? 'a value or a list of them' : 'one value'}: ${name}: ${value}.`);
}
