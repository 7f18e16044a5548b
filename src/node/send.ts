/** `send` on Node: files, a stream or a text, from a port of this machine. */

import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { type BeelineError, fault } from '../base/errors.ts';
import { MIN_CHUNK } from '../base/limits.ts';
import { makeCertificate } from '../identity/certificate.ts';
import { parseCode, wordsIn } from '../identity/code.ts';
import { versionKey } from '../identity/version-key.ts';
import { sharedPlace } from '../meeting/place.ts';
import { warningEvent } from '../session/cause.ts';
import { serve, WORDS_OF_SEVERAL } from '../session/sending.ts';
import { textSource } from '../session/text-source.ts';
import { Running } from '../session/transfer.ts';
import type { Source } from '../sync/ports.ts';
import { formatAddress } from '../wire/candidate.ts';
import { parseHostPort, portBeside } from './addresses.ts';
import type { SendOptions, Transfer, What } from './api.ts';
import type { DhtNodes } from './dht.ts';
import { FileSource } from './files/source.ts';
import { StreamSource } from './files/stream-source.ts';
import { walk } from './files/walk.ts';
import { Hosting } from './host.ts';
import { asReadable, heard, isLocked, isStream, sourceOfItems } from './items.ts';
import { Forwards } from './network/forwarding.ts';
import type { Network } from './network/network.ts';
import { openNetwork } from './network/open.ts';
import { checkSend } from './options.ts';
import { platform } from './platform.ts';
import { keepReceipt } from './receipts.ts';
import { secretsFrom } from './secret.ts';
import { Threading } from './threading.ts';

/**
 * Sends files, folders, a stream, a text or what is in memory.
 *
 * @param what paths; `['-']` for `options.stdin` (default `process.stdin`); `{ text }`;
 * `{ items }` for bytes and streams under names; or `{ store }` for a store of your own
 * @returns a running transfer: iterate it for events, or await its `done`.
 * `done` rejects with the error: USAGE, NO_SUCH_PATH, UNREADABLE, WRONG_CODE, NO_PATH, REFUSED, CANCELLED, and the rest of ErrorCode.
 */
export function send(what: What, options: SendOptions = {}): Transfer {
  // A store of one's own may not take shared memory.
  const threading = new Threading(options, Array.isArray(what) && !what.includes('-') && !options.zip);
  const transfer = new Running('sender', threading.platform, options);
  run(transfer, what, options, threading).catch((thrown) => transfer.fail(thrown));
  return transfer;
}

async function run(transfer: Running, what: What, options: SendOptions, threading: Threading): Promise<void> {
  const skipped: string[] = [];
  const notice = (path: string, error: BeelineError) => transfer.events.emit(warningEvent(error, path));
  const warn = (path: string, error: BeelineError) => {
    skipped.push(path);
    notice(path, error);
  };
  const close = () => closeGiven(what, options).catch(() => undefined);
  if (!transfer.begin()) return close();
  try {
    checkSend(what, options);
  } catch (wrong) {
    await close();
    throw wrong;
  }
  const opened = openSource(what, options, { warn, notice, found: telling(transfer) });
  const [known, source, certificate, trusted] = await Promise.all([
    secretsFor(options),
    opened,
    makeCertificate(),
    introduced(transfer, options),
  ]).catch(async (thrown) => {
    // Of files nothing is open yet, and to look at all of them may take long.
    const ofFiles = Array.isArray(what) && !what.includes('-');
    if (!ofFiles) await opened.then((source) => source.close()).catch(close);
    throw thrown;
  });
  // Who names a port has opened that one, and who wants only relays tells nobody of any.
  const free = options.at === undefined && !options.port && options.relay !== 'only';
  threading.start(transfer, certificate, source.length, free ? { host: undefined } : undefined);
  const networks = new Set<Network>();
  const forwards = new Forwards(transfer.log);
  let nodes: DhtNodes | undefined;
  const hosting = new Hosting(transfer, options, certificate, (seen) => {
    nodes = seen;
    for (const network of networks) network.observedBy(seen);
  });
  await serve(transfer, {
    ...{ options, platform: threading.platform, known, source, skipped, warn },
    device: trusted?.device,
    async host(nameplate, on, guests) {
      const onWelcome = () => {
        for (const network of networks) network.welcome();
      };
      const secret = known.find(({ secret }) => secret.nameplate === nameplate)?.secret;
      const hosted = await hosting.mailbox(nameplate, secret, { ...on, onWelcome, guests });
      const { mailbox, port, pages } = hosted;
      const place = sharedPlace(mailbox);
      if (pages) announcePages(transfer, pages);
      return {
        ...{ mailbox, port },
        connect(session) {
          const network = openNetwork(session, certificate, options, { forwards, threads: threading });
          networks.add(network);
          session.cleanup.push(() => void networks.delete(network));
          network.start(port);
          if (nodes) network.observedBy(nodes);
          // One in this process cannot be lost.
          if (options.server !== undefined) network.meet(place, options.server);
          // Pages that cannot connect directly come through the relay in this process.
          if (pages) network.meet(place, localUrl(options.at, port));
          return network;
        },
      };
    },
    ...(options.http && {
      link: async (had) => {
        const { openOfferLink } = await import('./serving/offer-link.ts');
        const link = await openOfferLink({
          ...{ source, port: linkPort(options), host: hostOf(options) },
          ...{ limit: options.limit, log: transfer.log },
          onDownload: (event) => transfer.events.emit(event),
          onAll: had,
        });
        transfer.cleanup.push(() => link.close());
        transfer.events.emit({ event: 'http', links: link.links });
      },
    }),
    async keep(facts) {
      await trusted?.add();
      return keepReceipt((error) => transfer.events.emit(warningEvent(error)), options.receipt, facts);
    },
  });
}

/** What was given open is closed, also where the send ends before anything is made of it. It may be anything: it was not checked. */
async function closeGiven(what: What, { stdin }: SendOptions): Promise<void> {
  const { store, items } = (what ?? {}) as { store?: Partial<Source>; items?: unknown };
  await store?.close?.();
  if (Array.isArray(what) && what.includes('-') && stdin instanceof Readable) heard(stdin).destroy();
  for (const item of Array.isArray(items) ? items : []) {
    const data: unknown = item?.data;
    if (isStream(data) && !isLocked(data)) asReadable(data).destroy();
  }
}

const hostOf = ({ at }: SendOptions) => (at === undefined ? undefined : parseHostPort(at).host);

/** Beside the port of lanes, and of the page, if these were chosen. */
function linkPort({ at, port, web }: SendOptions): number {
  const first = at === undefined ? port : parseHostPort(at).port;
  return portBeside(first, web ? 2 : 1);
}

/** @throws BeelineError USAGE */
async function secretsFor(options: SendOptions) {
  const { web, server, psk, device, receivers } = options;
  if (web && (server !== undefined || psk !== undefined || device !== undefined))
    throw fault('WEB_NEEDS_CODE');
  if (Array.isArray(device) && receivers !== undefined) throw fault('DEVICES_AND_RECEIVERS');
  const known = await secretsFrom(options, 'sender');
  const [first] = known;
  const several = receivers === 'any' || (receivers ?? 1) > 1;
  // Whoever guesses has three tries then.
  if (several && first?.secret.way === 'code' && wordsIn(parseCode(options.code!)) < WORDS_OF_SEVERAL)
    throw fault('CODE_TOO_SHORT', { words: WORDS_OF_SEVERAL });
  return known;
}

/** Loaded only where it is asked for. */
async function introduced(transfer: Running, { trust, configDir }: SendOptions) {
  if (trust === undefined) return undefined;
  const { trusting } = await import('./trusting.ts');
  return trusting(transfer, { trust, configDir }, (error) => transfer.events.emit(warningEvent(error)));
}

/** The links, as soon as there is a code to put into them. */
function announcePages(transfer: Running, pages: readonly string[]): void {
  transfer.subscribe((event) => {
    if (event.event !== 'code') return;
    const links = pages.map((page) => `${page}#${encodeURIComponent(event.code)}`);
    // After everybody has heard of the code.
    queueMicrotask(() => transfer.events.emit({ event: 'web', links }));
  });
}

/** This process's own rendezvous, from within. @param at where it listens, if not everywhere */
function localUrl(at: string | undefined, port: number): string {
  const host = at === undefined ? '127.0.0.1' : parseHostPort(at).host;
  return `http://${formatAddress({ host, port })}`;
}

/** Milliseconds between two words on how many files were found, and before the first. */
const FOUND_MS = 500;

function telling(transfer: Running): (files: number) => void {
  const { clock } = platform;
  let next = clock.now() + FOUND_MS;
  return (files) => {
    if (clock.now() < next) return;
    next = clock.now() + FOUND_MS;
    transfer.events.emit({ event: 'reading', files });
  };
}

interface Listeners {
  warn(path: string, error: BeelineError): void;
  notice(path: string, error: BeelineError): void;
  found(files: number): void;
}

async function openSource(
  what: What,
  options: SendOptions,
  { warn, notice, found }: Listeners,
): Promise<Source> {
  if ('store' in what) return what.store;
  if ('items' in what) return sourceOfItems(what.items, options);
  if ('text' in what) return textSource(what.text, platform.clock);
  const paths = what;
  if (paths.length === 0) throw fault('NOTHING_TO_SEND');
  if (paths.includes('-')) {
    if (paths.length > 1) throw fault('STDIN_WITH_PATHS');
    const stream = options.stdin ?? process.stdin;
    if (stream instanceof EventEmitter) heard(stream);
    return new StreamSource(stream, options.stdinName ?? 'stdin', {
      chunkSize: MIN_CHUNK,
      sha256: options.sha256,
    });
  }
  const { onUnreadable = 'fail', links, exclude, include, gitignore, zip } = options;
  const key = await versionKey(options.configDir);
  const files = new FileSource(
    await walk(paths, {
      ...{ onUnreadable, links, exclude, include, gitignore, zip },
      ...{ onSkip: warn, onOutward: notice, onFound: found, versionKey: key },
    }),
  );
  if (!zip) return files;
  const { ZipSource } = await import('./zip-source.ts');
  return new ZipSource(files, { name: options.stdinName, sha256: options.sha256 });
}
