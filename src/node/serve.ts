/** `serve`: files and folders of this machine over HTTP, until it is told to stop or what was allowed is used up. */
import { resolve } from 'node:path';
import { TokenBucket } from '../base/bucket.ts';
import { realClock } from '../base/clock.ts';
import { unlessInterrupted } from '../base/errors.ts';
import { escapingLog } from '../base/log-fields.ts';
import { Access, type AccessWay } from '../http/serving/access.ts';
import { Allowance } from '../http/serving/allowance.ts';
import { servingApp } from '../http/serving/app.ts';
import { FileDigests } from '../http/serving/digests.ts';
import { pathText } from '../http/serving/paths.ts';
import { type DownloadEvent, type ServingCounts, ServingRecords } from '../http/serving/records.ts';
import { keptLink } from '../identity/kept-link.ts';
import { versionKey } from '../identity/version-key.ts';
import { checkNames } from './option-names.ts';
import { FolderTree } from './serving/folder-tree.ts';
import { openWebPort, ownNames, type SelfSigned, type WebPortOptions } from './serving/web-port.ts';

export interface ServeOptions extends WebPortOptions {
  /** Who may come: whoever has the link (the default), everybody, or whoever knows the password. */
  access?: AccessWay;
  /** The link is the one of the last time that the same paths were served with this. */
  keepLink?: boolean;
  /** Names by which browsers may ask, if everybody may come, beside addresses and this machine's own name. */
  hostNames?: readonly string[];
  /** Serve names that begin with a dot too. */
  hidden?: boolean;
  /** Seconds from now, after which nothing more is begun. */
  expires?: number;
  /** So many whole files or archives, and nothing more is begun. */
  downloads?: number;
  /** Bytes a second, of all together. */
  limit?: number;
  configDir?: string;
  /** Closes it. */
  signal?: AbortSignal;
  onDownload?: (event: DownloadEvent) => void;
}

export type ServeEnd = ServingCounts & {
  /** It was closed, or all that was allowed is used up. */
  why: 'closed' | 'used-up';
};

export interface RunningServe {
  readonly port: number;
  /** Where it is to be had, best first; the link's secret is in them. */
  readonly urls: readonly string[];
  /** The first part of each path, which is the secret of a link; undefined without one. */
  readonly secret: string | undefined;
  /** Of a self-signed certificate. */
  readonly certificate: SelfSigned | undefined;
  counts(): ServingCounts;
  /** Resolves when it has ended; never rejects. */
  readonly done: Promise<ServeEnd>;
  /** Ends it, what is under way too. Resolves when the port is free. */
  close(): Promise<void>;
}

/** Milliseconds between two looks whether all is used up. */
const LOOK_MS = 500;

/**
 * @throws BeelineError NO_SUCH_PATH, UNREADABLE, USAGE; SERVER if it cannot listen on the port
 */
export async function serve(paths: readonly string[], options: ServeOptions = {}): Promise<RunningServe> {
  const { hidden = false, trustProxy = false, limit, expires, downloads, signal } = options;
  unlessInterrupted(signal);
  checkNames('serve', options);
  const log = options.log && escapingLog(options.log);
  const tree = new FolderTree(paths, { hidden, versionKey: await versionKey(options.configDir) });
  const way = options.keepLink ? { link: await keptLink(linkName(paths), options.configDir) } : 'link';
  const access = new Access(options.access ?? way, ownNames(options.hostNames));
  const begins = realClock.now();
  const allowance = new Allowance({
    downloads,
    expires: expires === undefined ? undefined : begins + 1000 * expires,
  });
  const records = new ServingRecords({ log, onDownload: options.onDownload });
  const digests = new FileDigests(tree);
  const running = await openWebPort({ ...options, log }, (front) =>
    servingApp({
      ...{ tree, access, allowance, records, digests, trustProxy, front },
      limit: limit === undefined ? undefined : new TokenBucket(limit),
    }),
  );
  const urls = running.urls(`${access.prefix}${tree.only === undefined ? '/' : pathText([tree.only])}`);

  let end: (why: ServeEnd['why']) => void = () => {};
  const ended = new Promise<ServeEnd['why']>((resolve) => {
    end = resolve;
  });
  const close = () => end('closed');
  // It may have been aborted while the port was opened.
  if (signal?.aborted) close();
  else signal?.addEventListener('abort', close, { once: true });
  const looks = setInterval(() => {
    if (records.counts.open === 0 && allowance.over(realClock.now())) end('used-up');
  }, LOOK_MS);
  const done = ended.then(async (why) => {
    clearInterval(looks);
    signal?.removeEventListener('abort', close);
    digests.close();
    await running.close();
    const counts = { ...records.counts };
    log?.info({ audit: true, role: 'serve', why, ...counts }, 'served');
    return { why, ...counts };
  });
  return {
    port: running.port,
    urls,
    secret: access.prefix === '' ? undefined : access.prefix.slice(1),
    certificate: running.certificate,
    counts: () => ({ ...records.counts }),
    done,
    async close() {
      end('closed');
      await done;
    },
  };
}

const linkName = (paths: readonly string[]): string =>
  ['serve', ...paths.map((path) => resolve(path))].join('\0');
