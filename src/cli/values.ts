/** Values of flags and of variables, checked. All throw BeelineError USAGE with the name, the value and what is allowed. */
import { homedir } from 'node:os';
import { sep } from 'node:path';
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { hint } from '../base/suggestion.ts';
import { formatDuration } from './format.ts';

/** @param name as it was typed: `--port` or `BEELINE_SERVER` */
export interface ReadValue<T> {
  (name: string, text: string): T;
  /** The words that it takes, where these are few. */
  readonly choices?: readonly string[];
}

const bad = (name: string, text: string, why: string): BeelineError =>
  new BeelineError('USAGE', `${name} ${escapeName(text)}: ${why}`);

export const integer =
  (least: number, most: number): ReadValue<number> =>
  (name, text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw bad(name, text, `it must be a whole number from ${least} to ${most}.`);
  };

/** A number as `integer` reads it, or the one word. */
export const integerOr =
  <T extends string>(word: T, least: number, most: number): ReadValue<number | T> =>
  (name, text) => {
    if (text === word) return word;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw bad(
      name,
      text,
      `it must be a whole number from ${least} to ${most}, or ${word}.${hint(text, [word])}`,
    );
  };

const SECONDS = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Seconds: a whole number of them, or of minutes, hours or days: `90`, `90s`, `10m`, `2h`, `1d`. */
export const duration =
  (most: number): ReadValue<number> =>
  (name, text) => {
    const match = /^(\d{1,9})([smhd]?)$/.exec(text);
    const value = match ? Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS] : Number.NaN;
    if (value <= most) return value;
    throw bad(name, text, `it must be a time such as 90s, 10m or 2h, at most ${formatDuration(most)}.`);
  };

export const oneOf = <T extends string>(...allowed: readonly T[]): ReadValue<T> => {
  const read = (name: string, text: string) => {
    const found = allowed.find((value) => value === text);
    if (found !== undefined) return found;
    throw bad(name, text, `it must be one of ${allowed.join(', ')}.${hint(text, allowed)}`);
  };
  return Object.assign(read, { choices: allowed });
};

const SCHEMES = ['ws:', 'wss:', 'http:', 'https:'];

export const serverUrl: ReadValue<string> = (name, text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && SCHEMES.includes(url.protocol) && url.hostname !== '') return text;
  throw bad(name, text, 'it must be a URL such as wss://beeline.example.org or http://192.168.1.7:4848.');
};

/** What a proxy may be. */
export const proxyUrl: ReadValue<string> = (_name, text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^(?:https?|socks(?:4a?|5h?)?):$/.test(url.protocol) && url.hostname !== '') return text;
  // It may hold a password: it is not quoted.
  throw new BeelineError(
    'USAGE',
    '--proxy: it must be a URL such as socks5://127.0.0.1:1080 or http://proxy:3128.',
  );
};

/** `host:port`, `192.168.1.7:4848` or `[fe80::1]:4848`, as it was typed. */
export const hostPort =
  (leastPort: number): ReadValue<string> =>
  (name, text) => {
    const match = /^(?:\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]|[^\s:[\]/@]+):(\d{1,5})$/.exec(text);
    const port = match ? Number(match[1]) : Number.NaN;
    if (port >= leastPort && port <= 65_535) return text;
    throw bad(name, text, 'it must be HOST:PORT, such as 192.168.1.7:4848 or [fd00::7]:4848.');
  };

const STEPS = ['', 'k', 'm', 'g', 't'];

/**
 * Bytes, a positive integer: '800k' is 800,000, '10M' and '10MB' 10,000,000, '1.5MiB' 1,572,864.
 * @param what it is called for a person
 */
const bytes =
  (what: 'size' | 'rate'): ReadValue<number> =>
  (name, text) => {
    const unit = what === 'rate' ? 'bytes a second' : 'bytes';
    const wrong = (why: string) => bad(name, text, `${why} Examples: 800k, 10M, 1.5MiB (${unit}).`);
    const given = what === 'rate' ? text.trim().replace(/\/s$/i, '') : text.trim();
    const match = /^(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)(i?)(b?)$/i.exec(given);
    if (!match) {
      const bits = /bits?(ps)?$|bps$/i.test(given);
      throw wrong(bits ? `a ${what} is in bytes, not bits: divide by 8.` : `this is not a ${what}.`);
    }
    const [, number, prefix = '', binary, byte] = match;
    // 'Mb' means megabits to network people: eight times too much if taken for bytes.
    if (byte === 'b' && prefix !== '') throw wrong(`a small b means bits; a ${what} is in bytes (B).`);
    if (binary && prefix === '') throw wrong(`this is not a ${what}.`);
    const value = Math.floor(Number(number) * (binary ? 1024 : 1000) ** STEPS.indexOf(prefix.toLowerCase()));
    if (!Number.isSafeInteger(value)) throw wrong('this is too large.');
    if (value < 1) throw wrong('it must be at least 1.');
    return value;
  };

export const size = bytes('size');
/** With or without '/s'. */
export const rate = bytes('rate');

/** A `~` of the home folder, which a shell leaves as it is in quotes and behind a `=`. A folder of that name is `./~`. */
export const homePath = (text: string): string =>
  text === '~' || text.startsWith('~/') || text.startsWith(`~${sep}`) ? homedir() + text.slice(1) : text;

/** Of a positional, where a bare `~` is a name that `*` has found: a shell expands one that is typed. Written so that it stays that. */
export const foundPath = (text: string): string => (/^~[/\\]?$/.test(text) ? `./${text}` : text);

/** Of a file on a server. A link to a page, which has a code behind its #, is none. */
export const isFileUrl = (text: string): boolean => /^https?:\/\//i.test(text) && !/#\d+-/.test(text);
