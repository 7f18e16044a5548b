/** Conditional requests (RFC 9110, 13): what a client has already, and whether a range still belongs to it. Pure. */

/** What an answer says of the file's state. */
export interface FileValidators {
  /** An entity tag with its quotes, always a strong one. */
  etag: string;
  /** Whole seconds since 1970; undefined for a file that changed so recently that a second does not tell its states apart. */
  modified: number | undefined;
}

export interface ConditionHeaders {
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
  'if-modified-since'?: string | undefined;
  'if-unmodified-since'?: string | undefined;
  'if-range'?: string | undefined;
}

/** For so long after a change the time of it tells nothing: the file may change once more within the same second. */
const FRESH_MS = 2_000;

/** @param mtime and @param now milliseconds since 1970 */
export function validatorsOf(tag: string, mtime: number, now: number): FileValidators {
  const fresh = mtime > now - FRESH_MS;
  return { etag: `"${tag}"`, modified: fresh ? undefined : Math.floor(mtime / 1000) };
}

/** What the preconditions of a GET or HEAD come to, in the order of RFC 9110, 13.2.2. */
export function checkConditions(headers: ConditionHeaders, now: FileValidators): 200 | 304 | 412 {
  const match = headers['if-match'];
  const unmodified = dateOf(headers['if-unmodified-since']);
  if (match !== undefined) {
    if (!isListed(match, now.etag, 'strong')) return 412;
  } else if (unmodified !== undefined && now.modified !== undefined && now.modified > unmodified) return 412;
  const none = headers['if-none-match'];
  const since = dateOf(headers['if-modified-since']);
  if (none !== undefined) return isListed(none, now.etag, 'weak') ? 304 : 200;
  return since !== undefined && now.modified !== undefined && now.modified <= since ? 304 : 200;
}

/**
 * Whether a Range is to be read: without If-Range always. A weak tag never fits, and a date only exactly. It is a strong validator
 * here, since no answer had it while the file could change again within its second.
 */
export function rangeApplies(ifRange: string | undefined, now: FileValidators): boolean {
  if (ifRange === undefined) return true;
  const text = ifRange.trim();
  if (/^(?:W\/)?"/.test(text)) return text === now.etag;
  const date = dateOf(text);
  return date !== undefined && date === now.modified;
}

/** `*`, or a list of tags. The weak comparison passes over what says that a tag is weak (RFC 9110, 8.8.3.2). */
function isListed(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  const tags = header.match(/(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g) ?? [];
  return tags.some((tag) => tag === etag || (comparison === 'weak' && tag === `W/${etag}`));
}

const DAYS = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAYS = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const MONTHS = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = '\\d\\d:\\d\\d:\\d\\d';
/** The three forms of a date in HTTP (RFC 9110, 5.6.7). */
const DATE = new RegExp(
  `^(?:${DAYS}, \\d\\d ${MONTHS} \\d{4} ${TIME} GMT|${LONG_DAYS}, \\d\\d-${MONTHS}-\\d\\d ${TIME} GMT|${DAYS} ${MONTHS} [\\d ]\\d ${TIME} \\d{4})$`,
);

/** Whole seconds since 1970; undefined for what is no date, which is passed over. */
function dateOf(text: string | undefined): number | undefined {
  if (text === undefined || !DATE.test(text)) return undefined;
  // The oldest form has no zone, and means the same one.
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(ms) ? undefined : ms / 1000;
}
