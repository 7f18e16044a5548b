/** `download` on Node: files from HTTP servers, as a transfer like any other. */
import { hash } from 'node:crypto';
import { type BeelineError, fault } from '../base/errors.ts';
import { escapeName } from '../base/printable.ts';
import { Client } from '../http/fetching/client.ts';
import { Reach } from '../http/fetching/reach.ts';
import { HttpReceiver, shownPlaces, type WantedFile } from '../http/fetching/receiver.ts';
import { type FileUrl, placeOf } from '../http/fetching/url.ts';
import { type LaneNews, MOST_LANES } from '../http/fetching/work.ts';
import { versionKey } from '../identity/version-key.ts';
import { nameProblem } from '../offer/names.ts';
import { auditAtEnd } from '../session/audit.ts';
import { ReceivingSide } from '../session/receiving.ts';
import { Running } from '../session/transfer.ts';
import type { ReceiverPorts } from '../sync/engine-ports.ts';
import { MOST_FROM } from '../sync/store/journal-records.ts';
import type { DownloadOptions, Remote, Transfer } from './api.ts';
import { Destination } from './files/destination.ts';
import { checkNames } from './option-names.ts';
import { checkDownload } from './options.ts';
import { platform } from './platform.ts';
import { keepReceipt } from './receipts.ts';
import { endStream, makeSink, placedWithin, settle } from './sinks.ts';

/** Of one transfer. */
const MOST_FILES = 1000;
const MOST_MIRRORS = 16;
/** Bytes of a fingerprint in a receipt. */
const MOST_NAME = 256;
const KIND = 'http';

/**
 * Fetches files over HTTP or HTTPS, with all that a receive has: what stands under a final name is whole, and a fetch that was killed
 * goes on where it stopped.
 *
 * @param what a URL, or several: each is one file
 * @returns a running transfer, as of `receive`. `done` rejects with the error: USAGE, SERVER, REFUSED, SOURCE_CHANGED, VERIFICATION,
 * EXISTS, DISK_FULL, NO_PATH (the server did not come back), CANCELLED, and the rest of ErrorCode.
 */
export function download(
  what: string | Remote | readonly (string | Remote)[],
  given: DownloadOptions = {},
): Transfer {
  const { options, wrong } = settle(given);
  const transfer = new Running('receiver', platform, options);
  transfer.cleanup.push(() => endStream(transfer.session, options));
  if (wrong) transfer.fail(wrong);
  else start(transfer, what, options).catch((thrown) => transfer.fail(thrown));
  return transfer;
}

async function start(
  transfer: Running,
  what: Parameters<typeof download>[0],
  options: DownloadOptions,
): Promise<void> {
  const { session } = transfer;
  if (!transfer.begin()) return;
  checkDownload(options);
  const wanted = wantedOf(what);
  const { to, lanes, wait, allowPrivate = false } = options;
  if (to !== undefined && !['.', '-'].includes(to)) new Destination(to).check();
  const places = wanted.flatMap((one) => one.places);
  const reach = new Reach({ named: places.map(({ url }) => url.hostname), allowPrivate });
  const client = new Client({ reach, agent: platform.agent, connections: lanes ?? MOST_LANES });
  session.cleanup.push(() => client.close());
  const { origin } = places[0]!.url;
  const given = {
    ...{ wanted, client, lanes, nameless: to === '-' },
    // Whoever said how long to wait means it also where nothing has come yet.
    patience: wait ?? 0,
    version: async (text: string) => versionOf(await versionKey(options.configDir), text),
    events: {
      met: (agent: string) => meet(session, reception, origin.slice(0, MOST_NAME), agent),
      up: () => session.dispatch('lane-up'),
      down: (error: Error) => session.dispatch('lanes-lost', { reason: error.message }),
      lane: (news: LaneNews) => session.emit({ event: 'lane', kind: KIND, local: '', ...news }),
      warn: (error: BeelineError) => session.warn(error, error.paths[0]),
    },
  };
  class Engine extends HttpReceiver {
    constructor(ports: ReceiverPorts) {
      super({ ...given, ports });
    }
  }
  const reception = new ReceivingSide(
    session,
    {
      ...{ options, platform, names: 'posix' },
      async sink(offer, told) {
        const sender = { ...told.peer, name: places[0]!.url.hostname };
        const [summary, within] = await placedWithin({ ...told, peer: sender }, options);
        return (
          options.store?.({ ...summary, peer: told.peer }) ??
          makeSink(session, offer, { ...within, from: shownPlaces(wanted).slice(0, MOST_FROM) })
        );
      },
      keep: (facts) => keepReceipt((error) => session.warn(error), options.receipt, facts),
    },
    undefined,
    Engine,
  );
  session.cleanup.push(() => reception.engine.stop());
  auditAtEnd(transfer, () => reception.facts);
  await (reception.engine as HttpReceiver).begin();
}

/** The servers are the peer, which is known from here on. It has no lanes of the session's own, and no meeting place. */
function meet(session: Running['session'], { engine }: ReceivingSide, server: string, agent: string): void {
  const hello = { fingerprint: server, tls: false, seal: '', transports: {}, hosts: [], lanes: 0 };
  const network = { kinds: [], hello: () => hello, peer() {}, close() {} };
  session.open({ engine, network, known: { own: platform.agent } });
  session.greeted({ ...hello, agent });
  session.dispatch('lane-up');
}

/** Under this machine's own key, so that no sender can say that it has the same. */
function versionOf(key: Uint8Array, text: string): string {
  return hash('sha256', Buffer.concat([key, Buffer.from(text)])).slice(0, 16);
}

/** @throws BeelineError USAGE */
function wantedOf(what: Parameters<typeof download>[0]): WantedFile[] {
  const all = typeof what === 'object' && !('url' in what) ? what : [what];
  if (!Array.isArray(all) || all.length === 0 || all.length > MOST_FILES)
    throw wrong('what', all.length, `1 to ${MOST_FILES} URLs`);
  return all.map((one: string | Remote) => {
    const remote: Remote = typeof one === 'string' ? { url: one } : one;
    checkNames('download.what', remote);
    const { url, mirrors = [], sha256, name } = remote;
    if (mirrors.length > MOST_MIRRORS) throw wrong('mirrors', mirrors.length, `at most ${MOST_MIRRORS} URLs`);
    if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256))
      throw wrong('sha256', sha256, '64 hex digits');
    const problem = name === undefined ? undefined : nameProblem(name, 'posix');
    if (problem !== undefined || name?.includes('/')) throw wrong('name', name, 'a plain file name');
    const seen = new Set<string>();
    const places: FileUrl[] = [];
    for (const each of [url, ...mirrors]) {
      const place = placeOf(String(each));
      if (!seen.has(place.url.href)) places.push(place);
      seen.add(place.url.href);
    }
    return { places, sha256: sha256?.toLowerCase(), name };
  });
}

function wrong(name: string, value: unknown, must: string) {
  return fault('OPTION_WRONG', { name, value: escapeName(String(value).slice(0, 80)), must });
}
