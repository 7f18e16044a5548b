/** A link to what is being sent, for those who have nothing installed. Whoever has had all of it counts as a receiver. */
import { TokenBucket } from '../../base/bucket.ts';
import { realClock } from '../../base/clock.ts';
import { forgetOldest } from '../../base/oldest.ts';
import { Access } from '../../http/serving/access.ts';
import { Allowance } from '../../http/serving/allowance.ts';
import { servingApp } from '../../http/serving/app.ts';
import { FileDigests } from '../../http/serving/digests.ts';
import { pathText } from '../../http/serving/paths.ts';
import { type DownloadEvent, ServingRecords } from '../../http/serving/records.ts';
import type { ServerLog } from '../../server/log.ts';
import type { Source } from '../../sync/ports.ts';
import { OfferTree } from './offer-tree.ts';
import { openWebPort } from './web-port.ts';

export interface OfferLinkOptions {
  source: Source;
  /** 0: any. */
  port: number;
  host: string | undefined;
  /** Bytes a second, of all downloads together. */
  limit: number | undefined;
  log: ServerLog | undefined;
  onDownload: (event: DownloadEvent) => void;
  /** Somebody at that address has had all files, or all as an archive. */
  onAll: (had: { address: string; bytes: number; seconds: number }) => void;
}

export interface OfferLink {
  /** Best first; each has a secret of its own in it. */
  readonly links: readonly string[];
  close(): Promise<void>;
}

/** Addresses whose downloads are put together. The oldest is forgotten first. */
const MOST_ADDRESSES = 64;

/** @throws BeelineError SERVER if it cannot listen on the port */
export async function openOfferLink(options: OfferLinkOptions): Promise<OfferLink> {
  const { source, limit, log } = options;
  const tree = new OfferTree(source);
  const access = new Access('link');
  const had = new Had(source, options.onAll);
  const records = new ServingRecords({
    log,
    onDownload: (event) => {
      options.onDownload(event);
      had.apply(event);
    },
  });
  const digests = new FileDigests(tree);
  const port = await openWebPort({ port: options.port, host: options.host, log }, (front) =>
    servingApp({
      ...{ tree, access, records, digests, front, allowance: new Allowance({}) },
      ...(limit !== undefined && { limit: new TokenBucket(limit) }),
    }),
  );
  const { path, kind } = tree.top;
  const end = kind === 'folder' ? '/' : '';
  return {
    links: port.urls(`${access.prefix}${pathText(path)}${end}`),
    async close() {
      digests.close();
      await port.close();
    },
  };
}

/** What each address has had. */
class Had {
  readonly #files: number;
  /** Behind which an archive is all of it. */
  readonly #tops: ReadonlySet<string>;
  readonly #bytes: number;
  readonly #onAll: OfferLinkOptions['onAll'];
  readonly #of = new Map<string, { files: Set<string>; began: number }>();

  constructor(source: Source, onAll: OfferLinkOptions['onAll']) {
    const files = source.entries.filter(({ kind }) => kind === 'file');
    this.#files = files.length;
    const tops = source.entries.filter(({ path }) => !path.includes('/'));
    this.#tops = new Set(['', ...(tops.length === 1 ? [pathText([tops[0]!.path])] : [])]);
    this.#bytes = source.length ?? 0;
    this.#onAll = onAll;
  }

  apply({ status, address, path, size, whole }: DownloadEvent): void {
    const now = realClock.now();
    const had = this.#of.get(address) ?? { files: new Set<string>(), began: now };
    this.#of.set(address, had);
    forgetOldest(this.#of, MOST_ADDRESSES);
    if (status !== 'done' || !whole) return;
    if (size !== null) had.files.add(path);
    const all = size === null ? this.#tops.has(path) : had.files.size >= this.#files;
    if (!all) return;
    this.#of.delete(address);
    this.#onAll({ address, bytes: this.#bytes, seconds: (now - had.began) / 1000 });
  }
}
