/** Values of flags, checked. All throw BeelineError USAGE with the flag, the value and what is allowed. */
import { BeelineError } from '../protocol/errors.ts';
import { escapeName } from '../protocol/names.ts';
import { hint } from './near.ts';

const bad = (flag: string, text: string, why: string): BeelineError =>
  new BeelineError('USAGE', `--${flag} ${escapeName(text)}: ${why}`);

export function integer(flag: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw bad(flag, text, `it must be a whole number from ${least} to ${most}.`);
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
