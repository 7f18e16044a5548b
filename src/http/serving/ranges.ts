/** The Range header (RFC 9110, 14): which bytes of a file an answer has. Pure. */

/** Bytes from `from` up to and without `end`. */
export interface ByteSpan {
  from: number;
  end: number;
}

/**
 * Of one answer, after those that touch were joined. RFC 9110, 14.2 lets a server pass over a Range with many small or overlapping
 * ranges: each part costs a head, a read and a look at the file.
 */
export const MOST_RANGES = 16;

const SPECS = /^bytes=[\t ]*(.*)$/is;
const SPEC = /^(\d*)-(\d*)$/;

/**
 * @returns the spans in the order in which they were asked for; `whole` if the header says nothing, is malformed, asks for too many,
 * or is in another unit; `none` if no byte of the file is in it
 */
export function readRange(header: string | undefined, size: number): ByteSpan[] | 'whole' | 'none' {
  const specs = header === undefined ? undefined : SPECS.exec(header)?.[1];
  if (specs === undefined) return 'whole';
  const spans: ByteSpan[] = [];
  let asked = 0;
  for (const text of specs.split(',')) {
    const spec = text.trim();
    // Empty elements of a list are passed over (RFC 9110, 5.6.1).
    if (spec === '') continue;
    const [, first, last] = SPEC.exec(spec) ?? [];
    if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole';
    asked++;
    const span = spanOf(first, last, size);
    if (span === undefined) return 'whole';
    if (span.from < span.end) spans.push(span);
  }
  if (asked === 0) return 'whole';
  if (spans.length === 0) return 'none';
  const joined = join(spans);
  return joined.length > MOST_RANGES ? 'whole' : joined;
}

/** Undefined: the last byte is before the first one, which makes the whole header malformed. */
function spanOf(first: string, last: string, size: number): ByteSpan | undefined {
  // A number that is too long for a double is beyond every file.
  if (first === '') return { from: Math.max(0, size - Number(last)), end: size };
  const from = Number(first);
  if (last === '') return { from, end: size };
  if (Number(last) < from) return undefined;
  return { from, end: Math.min(Number(last) + 1, size) };
}

/** Those that overlap or touch become one, which stands where the first of them was asked for. */
function join(spans: readonly ByteSpan[]): ByteSpan[] {
  const joined: (ByteSpan & { asked: number })[] = [];
  const all = spans.map((span, asked) => ({ ...span, asked }));
  for (const span of all.sort((a, b) => a.from - b.from)) {
    const before = joined.at(-1);
    if (!before || span.from > before.end) {
      joined.push({ ...span });
      continue;
    }
    before.end = Math.max(before.end, span.end);
    before.asked = Math.min(before.asked, span.asked);
  }
  return joined.sort((a, b) => a.asked - b.asked).map(({ from, end }) => ({ from, end }));
}
