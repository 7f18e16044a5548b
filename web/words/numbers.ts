/** Sizes, speeds, times and dates as the chosen language writes them. */
import { language, say } from './index.ts';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'] as const;

const made = new Map<string, Intl.NumberFormat>();

function unit(value: number, name: string, options: Intl.NumberFormatOptions): string {
  const key = `${language()} ${name} ${JSON.stringify(options)}`;
  let format = made.get(key);
  if (!format) {
    format = new Intl.NumberFormat(language(), { style: 'unit', unit: name, ...options });
    made.set(key, format);
  }
  return format.format(value);
}

/** Three significant digits, so that the width of a changing number stays put. */
const THREE = { unitDisplay: 'short', minimumSignificantDigits: 3, maximumSignificantDigits: 3 } as const;

function scaled(bytes: number): { value: number; step: number } {
  let value = Math.max(0, bytes);
  let step = 0;
  // 999.5 would round to '1000', which belongs to the next prefix.
  while (value >= (step === 0 ? 1000 : 999.5) && step < UNITS.length - 1) {
    value /= 1000;
    step++;
  }
  return { value, step };
}

/** 1234567 as '1.23 MB'. */
export function size(bytes: number): string {
  const { value, step } = scaled(bytes);
  return step === 0 ? say('bytes', { n: Math.floor(value) }) : unit(value, UNITS[step]!, THREE);
}

export function speed(bytesEachSecond: number): string {
  const { value, step } = scaled(bytesEachSecond);
  if (step === 0) return say('bytesEachSecond', { n: Math.floor(value) });
  return unit(value, `${UNITS[step]}-per-second`, THREE);
}

export function percentage(part: number): string {
  return unit(part, 'percent', { unitDisplay: 'short' });
}

/** '1 hr 5 min', '2 min', '30 sec': two parts at most. */
export function duration(seconds: number, unitDisplay: 'short' | 'long' = 'short'): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  const steps = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ] as const;
  let rest = whole;
  for (const [name, length] of steps) {
    const amount = Math.floor(rest / length);
    rest -= amount * length;
    if (amount > 0 && parts.length < 2) parts.push(unit(amount, name, { unitDisplay }));
    else if (parts.length > 0) break;
  }
  if (parts.length > 0) return parts.join(' ');
  return unit(Math.round(Math.max(0, seconds) * 10) / 10, 'second', { unitDisplay });
}

export function date(milliseconds: number): string {
  const options = { dateStyle: 'medium', timeStyle: 'short' } as const;
  return new Intl.DateTimeFormat(language(), options).format(milliseconds);
}

const DAY_MS = 86_400_000;

/** 'today', 'yesterday', '3 days ago'. */
export function daysAgo(milliseconds: number, now = Date.now()): string {
  const midnight = (at: number) => new Date(at).setHours(0, 0, 0, 0);
  const days = Math.min(0, Math.round((midnight(milliseconds) - midnight(now)) / DAY_MS));
  return new Intl.RelativeTimeFormat(language(), { numeric: 'auto' }).format(days, 'day');
}

/** 'a', 'a and b', 'a, b and c'. */
export function list(words: readonly string[], last: 'and' | 'or'): string {
  const type = last === 'and' ? 'conjunction' : 'disjunction';
  return new Intl.ListFormat(language(), { type }).format(words);
}
