/** The inbox over HTTP: a link onto which anybody who has it puts files, from a browser, curl or a tus client. */
import { type EventEmitter, once } from 'node:events';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { TokenBucket } from '../../base/bucket.ts';
import { realClock } from '../../base/clock.ts';
import type { BeelineError } from '../../base/errors.ts';
import { Access, type AccessWay } from '../../http/serving/access.ts';
import { crowded, gatedApp, headersFor } from '../../http/serving/app.ts';
import { STALL_MS } from '../../http/serving/outlet.ts';
import { ServingRecords } from '../../http/serving/records.ts';
import { uploadRoutes } from '../../http/uploads/routes.ts';
import { Uploads } from '../../http/uploads/uploads.ts';
import { keptLink } from '../../identity/kept-link.ts';
import { clientAddress } from '../../server/address.ts';
import type { Overwrite } from '../files/conflicts.ts';
import { FolderDeposits } from '../files/deposits.ts';
import { openWebPort, ownNames, type SelfSigned, type WebPortOptions } from '../serving/web-port.ts';

/** Milliseconds for answers that are under way when all ends. What is still being sent then is kept. */
const LAST_WORDS_MS = 1_000;

export interface UploadOptions extends Omit<WebPortOptions, 'log' | 'warn'> {
  /** Who may come: whoever has the link (the default, the same at each start), everybody, or whoever knows the password. */
  access?: AccessWay;
  /** The link of before leads nowhere any more: there is a new one. */
  newLink?: boolean;
  /** Names by which browsers may ask, if everybody may come, beside addresses and this machine's own name. */
  hostNames?: readonly string[];
  /** The most bytes of one file. */
  maxSize?: number;
  /** The most bytes that the folder may hold for anything more to be taken. */
  quota?: number;
}

export type UploadEvent =
  /** Where files may be put. */
  | ({ event: 'uploads'; links: readonly string[] } & Partial<SelfSigned>)
  /** One stands under its final name, or was not taken: `message` says why, as its sender was told. */
  | { event: 'upload'; status: 'arrived'; name: string; bytes: number; from: string; to: string }
  | { event: 'upload'; status: 'refused'; name: string; from: string; message: string };

export interface UploadsParts {
  to: string;
  overwrite: Exclude<Overwrite, 'ask'>;
  /** Bytes a second, of all together. */
  limit?: number;
  configDir?: string;
  log?: WebPortOptions['log'];
  tell: (event: UploadEvent) => void;
  warn: (error: BeelineError) => void;
}

/** @throws BeelineError SERVER if it cannot listen on the port; what is wrong with a certificate */
export async function openUploads(
  options: UploadOptions,
  parts: UploadsParts,
): Promise<{ close(): Promise<void> }> {
  const { to, overwrite, limit, configDir, log, tell, warn } = parts;
  const folder = resolve(to);
  const { access: way = { link: await keptLink(`inbox ${folder}`, configDir, options.newLink) } } = options;
  const access = new Access(way, ownNames(options.hostNames));
  const records = new ServingRecords({ log });
  const uploads = new Uploads({
    deposits: new FolderDeposits({
      to: folder,
      // An upload is no newer version of anything.
      overwrite: overwrite === 'update' ? 'replace' : overwrite,
      onWarning: warn,
    }),
    clock: realClock,
    maxSize: options.maxSize,
    quota: options.quota,
    limit: limit === undefined ? undefined : new TokenBucket(limit),
    on: {
      arrived: (upload) => tell({ event: 'upload', status: 'arrived', ...upload, to: folder }),
      failed: ({ path, from, refusal, cause }) => {
        if (refusal.status >= 500) log?.warn({ path, error: cause }, 'an upload could not be stored');
        tell({ event: 'upload', status: 'refused', name: path, from, message: refusal.message });
      },
    },
  });
  const { trustProxy = false } = options;
  const answering = new Set<EventEmitter>();
  /** Connections of the public that have had their one request. */
  const served = new WeakSet<EventEmitter>();
  try {
    const port = await openWebPort({ ...options, log, warn: undefined }, (front) => {
      const app = gatedApp({ access, records, trustProxy });
      const routes = uploadRoutes({
        uploads,
        mount: access.prefix,
        text: { name: hostname(), maxSize: options.maxSize },
        clientOf: (incoming) => clientAddress(incoming, trustProxy),
      });
      app.all('*', (c) => {
        const { incoming, outgoing } = c.env;
        const { tcp } = front().wayOf(incoming.socket);
        if (way === 'public') {
          // Once a body is let in, whatever stands behind it comes in too. Requests do not: their rate is bounded by connections.
          if (served.has(tcp)) return closed(tcp);
          served.add(tcp);
        }
        const release = front().hold(incoming.socket, true);
        if (!release) return crowded(c);
        // Whoever was let in by a secret may send one request behind the other, as a page with ten thousand files does.
        if (way === 'public') outgoing.setHeader('connection', 'close');
        for (const [name, value] of Object.entries(headersFor(c))) if (value) outgoing.setHeader(name, value);
        answering.add(outgoing);
        // Whoever sends nothing for so long has gone, or means to hold a place.
        const stalled = () => tcp.destroy();
        tcp.setTimeout(STALL_MS, stalled);
        outgoing.once('close', () => {
          tcp.setTimeout(0, stalled);
          release();
          answering.delete(outgoing);
        });
        return routes.fetch(c.req.raw, c.env);
      });
      return app;
    });
    tell({ event: 'uploads', links: port.urls(`${access.prefix}/`), ...port.certificate });
    return {
      async close() {
        // Whoever has sent all of a file is told so.
        const deadline = AbortSignal.timeout(LAST_WORDS_MS);
        await Promise.all(
          [...answering].map((each) => once(each, 'close', { signal: deadline }).catch(() => {})),
        );
        await port.close();
        await uploads.close();
      },
    };
  } catch (error) {
    await uploads.close();
    throw error;
  }
}

function closed(tcp: Socket): Response {
  tcp.destroy();
  return RESPONSE_ALREADY_SENT;
}
