/**
 * What a server says of a file: how long it is, and by what it can be known again (RFC 9110, 8.8). Two answers may be put together only
 * if they are of the same file, which a strong validator says, or the file's own digest.
 */
import { type BeelineError, fault } from '../../base/errors.ts';
import type { Answer } from './client.ts';

export interface Representation {
  /** Bytes; undefined if the server does not say. */
  readonly length: number | undefined;
  /** As it was given, weak or strong. */
  readonly etag: string | undefined;
  readonly modified: string | undefined;
  /** What goes into If-Range; undefined if nothing is strong enough. */
  readonly validator: string | undefined;
  /** Milliseconds since 1970. */
  readonly time: number | undefined;
  /** The SHA-256 of the whole in hex, if the server says it. */
  readonly sha256: string | undefined;
  /** It answered with a range. */
  readonly ranges: boolean;
}

/** What a Content-Range says: `to` is past the last byte. */
export interface ContentRange {
  readonly from: number;
  readonly to: number;
  readonly total: number | undefined;
}

const DIGITS = String.raw`(\d{1,15})`;
const RANGE = new RegExp(String.raw`^bytes ${DIGITS}-${DIGITS}/(?:${DIGITS}|\*)$`, 'i');
const UNSATISFIED = new RegExp(String.raw`^bytes \*/${DIGITS}$`, 'i');
const LENGTH = new RegExp(`^${DIGITS}$`);
/** RFC 9110, 8.8.2.2: the file was not changed in the second in which it was looked at. */
const STRONG_MS = 1000;

export function contentRange(text: string | undefined): ContentRange | undefined {
  const [, first, last, total] = RANGE.exec(text ?? '') ?? [];
  if (first === undefined || last === undefined) return undefined;
  const range = { from: Number(first), to: Number(last) + 1, total: total ? Number(total) : undefined };
  const right = range.from < range.to && (range.total === undefined || range.to <= range.total);
  return right ? range : undefined;
}

/** The length that a 416 names. */
export function lengthAfter416(answer: Answer): number | undefined {
  const [, total] = UNSATISFIED.exec(answer.header('content-range') ?? '') ?? [];
  return total === undefined ? undefined : Number(total);
}

/** @throws BeelineError SERVER for a file that comes compressed, and for a range that makes no sense */
export function representationOf(answer: Answer): Representation {
  const { host } = answer.url;
  const coding = answer.header('content-encoding')?.trim().toLowerCase() ?? '';
  if (coding !== '' && coding !== 'identity')
    throw fault('HTTP_ENCODED', { host, coding: coding.slice(0, 40).replace(/[^a-z0-9, -]/g, '?') });
  const range = answer.status === 206 ? contentRange(answer.header('content-range')) : undefined;
  if (answer.status === 206 && !range) throw misbehaves(answer, 'its Content-Range is missing or malformed');
  const announced = LENGTH.exec(answer.header('content-length') ?? '')?.[1];
  const whole = announced === undefined ? undefined : Number(announced);
  const etag = answer.header('etag');
  const modified = answer.header('last-modified');
  const time = timeOf(modified);
  const date = timeOf(answer.header('date'));
  const aged = time !== undefined && date !== undefined && date - time >= STRONG_MS;
  return {
    length: range ? range.total : whole,
    ...{ etag, modified, time },
    validator: etag !== undefined && isStrong(etag) ? etag : aged ? modified : undefined,
    sha256: digestOf(answer),
    ranges: range !== undefined,
  };
}

/** Whether an answer is of another file than the one that was seen. */
export function changed(seen: Representation, now: Representation): boolean {
  if (seen.length !== undefined && now.length !== undefined && seen.length !== now.length) return true;
  if (seen.sha256 !== undefined && now.sha256 !== undefined) return seen.sha256 !== now.sha256;
  if (seen.etag !== undefined && now.etag !== undefined) return opaque(seen.etag) !== opaque(now.etag);
  return seen.modified !== undefined && now.modified !== undefined && seen.modified !== now.modified;
}

export function isHtml(answer: Answer): boolean {
  return /^text\/html\b/i.test(answer.header('content-type') ?? '');
}

export function misbehaves({ url: { host } }: Answer, what: string): BeelineError {
  return fault('HTTP_MISBEHAVES', { host, what });
}

function isStrong(etag: string): boolean {
  return /^"[\x21\x23-\x7e\x80-\xff]{0,200}"$/.test(etag);
}

/** A server that compresses for others may call the same tag weak the next time. */
function opaque(etag: string): string {
  return etag.replace(/^W\//, '');
}

function timeOf(text: string | undefined): number | undefined {
  const time = text === undefined || text.length > 64 ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** Repr-Digest (RFC 9530), or Digest, which came before it. Of an answer with a range both are of the whole. */
function digestOf(answer: Answer): string | undefined {
  const structured = /(?:^|[\s,])sha-256=:([A-Za-z0-9+/]{43}=):/.exec(answer.header('repr-digest') ?? '');
  const older = /(?:^|[\s,])sha-256=([A-Za-z0-9+/]{43}=)/i.exec(answer.header('digest') ?? '');
  const found = structured?.[1] ?? older?.[1];
  return found === undefined ? undefined : Buffer.from(found, 'base64').toString('hex');
}
