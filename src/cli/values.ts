/** Values of flags, checked. All throw BeelineError USAGE with the flag, the value and what is allowed. */
import { BeelineError } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { hint } from './near.ts';

const bad = (flag: string, text: string, why: string): BeelineError =>
  new BeelineError('USAGE', `--${flag} ${escapeName(text)}: ${why}`);

export function integer(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw bad(flag, text, `it must be a whole number from ${least} to ${most}.`);
  return value;
}

const SECONDS = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Seconds: a whole number of them, or of minutes, hours or days: `90`, `90s`, `10m`, `2h`, `1d`. */
export function duration(flag: string, text: string, most: number): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  const value = match ? Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS] : Number.NaN;
  if (!(value <= most))
    throw bad(flag, text, `it must be a time such as 90s, 10m or 2h, at most ${most} seconds.`);
  return value;
}

export function oneOf<T extends string>(flag: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === text);
  if (found === undefined)
    throw bad(flag, text, `it must be one of ${allowed.join(', ')}.${hint(text, allowed)}`);
  return found;
}

const SCHEMES = ['ws:', 'wss:', 'http:', 'https:'];

export function serverUrl(flag: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !SCHEMES.includes(url.protocol) || url.hostname === '')
    throw bad(flag, text, 'it must be a URL such as wss://beeline.example.org or http://192.168.1.7:4848.');
  return text;
}

/** `host:port`, `192.168.1.7:4848` or `[fe80::1]:4848`, as it was typed. */
export function hostPort(flag: string, text: string, leastPort: number): string {
  const match = /^(?:\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]|[^\s:[\]/@]+):(\d{1,5})$/.exec(text);
  const port = match ? Number(match[1]) : Number.NaN;
  if (!(port >= leastPort && port <= 65_535))
    throw bad(flag, text, 'it must be HOST:PORT, such as 192.168.1.7:4848 or [fd00::7]:4848.');
  return text;
}
