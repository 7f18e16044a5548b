/** What a request's headers say about the form of the answer (RFC 9110, 12.5.3 and 13.1.2). */

export type Encoding = 'br' | 'gzip' | 'identity';

/** In this order where a browser likes several alike: the smallest first. */
const PREFERENCE: readonly Encoding[] = ['br', 'gzip', 'identity'];

/** The best of what there is. Identity where nothing fits: an answer in a form not asked for beats none. */
export function chooseEncoding(header: string | undefined, has: (encoding: Encoding) => boolean): Encoding {
  const weights = new Map<string, number>();
  for (const part of (header ?? '').toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((each) => each.trim());
    const q = parameters.find((each) => each.startsWith('q='));
    if (name !== '') weights.set(name, q === undefined ? 1 : Number(q.slice(2)) || 0);
  }
  // Identity is acceptable without a name, but comes after all that are named.
  const weightOf = (name: Encoding) =>
    weights.get(name) ?? weights.get('*') ?? (name === 'identity' ? Number.MIN_VALUE : 0);
  let best: Encoding = 'identity';
  let most = 0;
  for (const name of PREFERENCE) {
    const weight = has(name) ? weightOf(name) : 0;
    if (weight > most) [best, most] = [name, weight];
  }
  return best;
}

/** Whether If-None-Match names this entity tag, by the weak comparison. @param tag with its quotes. */
export function hasTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((each) => {
    const one = each.trim();
    return one === '*' || one.replace(/^W\//, '') === tag;
  });
}
