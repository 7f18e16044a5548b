/** One place that has the file: how it is asked there, where its redirects lead, and how it has done so far. */
import { type BeelineError, fault } from '../../base/errors.ts';
import type { Answer, Client } from './client.ts';
import {
  changed,
  contentRange,
  isHtml,
  lengthAfter416,
  misbehaves,
  type Representation,
  representationOf,
} from './representation.ts';
import { type FileUrl, shownUrl } from './url.ts';

const MAX_REDIRECTS = 10;
/** Characters of a header that leads elsewhere. */
const MAX_LEAD = 8192;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** What may be otherwise in a while: too early, too much, too slow, and a failure of the server's own. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Milliseconds; doubled with each failure in a row. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;
/** No server keeps this side waiting for longer. */
const LONGEST_ASKED = 600_000;
/** Less than this cannot be measured. */
const SHORTEST_S = 0.001;
/** In a row, with nothing that is new. */
const MOST_BARREN = 40;

/** A status that may pass, with how long the server wants to be left alone. */
export class Busy extends Error {
  readonly error: BeelineError;
  /** Milliseconds; undefined if it does not say. */
  readonly after: number | undefined;

  constructor(error: BeelineError, after: number | undefined) {
    super(error.message);
    this.error = error;
    this.after = after;
  }
}

/** The file is another one now. */
export class Changed extends Error {}

export class Mirror {
  readonly place: FileUrl;
  /** What it said first, if it has been asked. */
  seen: Representation | undefined;
  /** Connections to it that are in use. */
  lanes = 0;
  /** As many as it may have. */
  most: number;
  /** Bytes a second of its fastest answer so far. */
  best = 0;
  /** By the clock: it is not asked before. */
  notBefore = 0;
  /** It is not used any more. */
  out: BeelineError | undefined;
  #failures = 0;
  /** Where redirects led to. */
  #at: URL | undefined;

  constructor(place: FileUrl, most: number) {
    this.place = place;
    this.most = most;
  }

  get host(): string {
    return this.place.url.host;
  }

  /**
   * Asks for the bytes from `from` to before `to` (undefined: to the end); with no `from`, for the whole. Follows redirects.
   * @returns 200, 206 or 416
   * @throws BeelineError for what will not change; Busy for a status that may
   */
  async ask(client: Client, signal: AbortSignal, from?: number, to?: number): Promise<Answer> {
    const known = this.#at;
    try {
      return await this.#ask(client, signal, known ?? this.place.url, from, to);
    } catch (thrown) {
      // What a redirect led to may have been for a while only.
      if (known === undefined || thrown instanceof Busy || signal.aborted) throw thrown;
      this.#at = undefined;
      return this.#ask(client, signal, this.place.url, from, to);
    }
  }

  async #ask(client: Client, signal: AbortSignal, first: URL, from?: number, to?: number): Promise<Answer> {
    let url = first;
    for (let hops = 0; ; hops++) {
      const own = url.origin === this.place.url.origin;
      const ranged = from !== undefined;
      const answer = await client.get(
        url,
        {
          authorization: own ? this.place.authorization : undefined,
          range: ranged ? `bytes=${from}-${to === undefined ? '' : to - 1}` : undefined,
          'if-range': ranged ? this.seen?.validator : undefined,
        },
        signal,
      );
      const { status } = answer;
      const archive = zipOfFolder(answer);
      if (!archive && (status === 200 || status === 206 || status === 416)) {
        this.#at = url === this.place.url ? undefined : url;
        return answer;
      }
      answer.close();
      if (!archive && !REDIRECTS.has(status)) throw refusal(answer);
      if (hops === MAX_REDIRECTS)
        throw fault('HTTP_REDIRECTS', { url: shownUrl(this.place.url), most: MAX_REDIRECTS });
      url = archive ?? target(answer);
    }
  }

  /**
   * What an answer to such a range brings: its first byte's place in the file, and the place past its last one.
   * @throws Changed; BeelineError
   */
  brings(answer: Answer, from: number, to: number | undefined): { at: number; end: number } {
    const seen = this.seen!;
    const { status } = answer;
    if (status === 416) {
      const length = lengthAfter416(answer);
      if (length !== undefined && length !== seen.length) throw new Changed();
      throw misbehaves(answer, 'it has no range that it has');
    }
    const now = representationOf(answer);
    if (changed(seen, now)) throw new Changed();
    const end = seen.length ?? Number.POSITIVE_INFINITY;
    if (status === 200) {
      // It does not know the condition, or no ranges, or holds for changed what is the same.
      if (from > 0) this.seen = { ...seen, ranges: false };
      return { at: 0, end };
    }
    const range = contentRange(answer.header('content-range'))!;
    if (range.from !== from || range.to > (to ?? end))
      throw misbehaves(answer, `it sent bytes ${range.from}-${range.to - 1} for ${from}-${(to ?? end) - 1}`);
    return { at: range.from, end: range.to };
  }

  /** Bytes came that are new. */
  did(): void {
    this.#failures = 0;
  }

  /** An answer brought so much. */
  brought(bytes: number, seconds: number): void {
    this.best = Math.max(this.best, bytes / Math.max(seconds, SHORTEST_S));
  }

  /**
   * It did not do what it was asked for, which may pass.
   * @param now by the clock @param chance from 0 up to 1
   * @returns false if that has been so for too often
   */
  failed(now: number, chance: number, asked?: number): boolean {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#failures) * (0.5 + chance / 2);
    this.notBefore = now + Math.max(pause, Math.min(asked ?? 0, LONGEST_ASKED));
    return ++this.#failures < MOST_BARREN;
  }
}

/** @throws BeelineError where it may not lead */
function target(answer: Answer): URL {
  const location = answer.header('location');
  const { url } = answer;
  if (location === undefined || location.length > MAX_LEAD || !URL.canParse(location, url))
    throw misbehaves(answer, 'it leads elsewhere without saying where');
  const to = bare(new URL(location, url));
  if (to.protocol !== 'http:' && to.protocol !== 'https:')
    throw misbehaves(answer, 'it leads to what is not HTTP');
  if (url.protocol === 'https:' && to.protocol === 'http:')
    throw fault('HTTP_DOWNGRADE', { url: shownUrl(url) });
  return to;
}

/**
 * Where all of a folder is as one ZIP, if the answer is the page that lists it: `beeline serve` says so in its Link header (RFC 8288).
 * Nobody who names a folder wants its page as a file. It is that folder's `?zip` and nothing else: no server gives another file so.
 */
function zipOfFolder(answer: Answer): URL | undefined {
  const { url, status } = answer;
  const links = answer.header('link');
  if (status !== 200 || links === undefined || links.length > MAX_LEAD) return undefined;
  if (!url.pathname.endsWith('/') || !isHtml(answer)) return undefined;
  const archive = new URL('?zip', url).href;
  for (const [, to = '', says = ''] of links.matchAll(/<([^<>]*)>([^,<>]*)/g)) {
    if (!/;\s*rel="?alternate"?\s*(?:;|$)/i.test(says)) continue;
    if (!/;\s*type="?application\/zip"?\s*(?:;|$)/i.test(says) || !URL.canParse(to, url)) continue;
    const named = bare(new URL(to, url));
    if (named.href === archive) return named;
  }
  return undefined;
}

/** Without credentials of a stranger's choosing. */
function bare(url: URL): URL {
  url.username = url.password = '';
  url.hash = '';
  return url;
}

function refusal(answer: Answer): Error {
  const { status, url } = answer;
  const error = fault('HTTP_STATUS', { url: shownUrl(url), status });
  return PASSING.has(status) ? new Busy(error, retryAfter(answer)) : error;
}

/** Milliseconds. */
function retryAfter(answer: Answer): number | undefined {
  const text = answer.header('retry-after') ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  const date = Date.parse(answer.header('date') ?? '');
  return Number.isNaN(at) || Number.isNaN(date) ? undefined : Math.max(0, at - date);
}
