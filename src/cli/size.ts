/** Sizes and rates as people type them. */
import { BeelineError } from '../base/errors.ts';

const STEPS = ['', 'k', 'm', 'g', 't'];

/**
 * '800k' is 800,000, '10M' and '10MB' 10,000,000, '1.5MiB' 1,572,864; for rates '/s' may follow. Result in bytes,
 * a positive integer.
 * @throws BeelineError USAGE
 */
export function parseSize(flag: string, text: string): number {
  const bad = (why: string) =>
    new BeelineError('USAGE', `--${flag} ${text}: ${why} Examples: 800k, 10M, 1.5MiB (bytes a second).`);
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)(i?)(b?)(?:\/s)?$/i.exec(text.trim());
  if (!match) {
    const bits = /bits?(ps)?$|bps$/i.test(text.trim().replace(/\/s$/i, ''));
    throw bad(bits ? 'rates are in bytes, not bits: divide by 8.' : 'this is not a size.');
  }
  const [, number, prefix = '', binary, unit] = match;
  // 'Mb' means megabits to network people: eight times too fast if taken for bytes.
  if (unit === 'b' && prefix !== '') throw bad('a small b means bits; rates are in bytes (B).');
  if (binary && prefix === '') throw bad('this is not a size.');
  const bytes = Math.floor(Number(number) * (binary ? 1024 : 1000) ** STEPS.indexOf(prefix.toLowerCase()));
  if (!Number.isSafeInteger(bytes)) throw bad('this is too large.');
  if (bytes < 1) throw bad('it must be at least 1.');
  return bytes;
}
