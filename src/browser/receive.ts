/** `receive` in a page: into this browser's storage, a download, or as a text. */

import { type BeelineError, fault } from '../base/errors.ts';
import { FIND_DEADLINE, FIND_WORD, RECEIVER_WAIT } from '../base/limits.ts';
import { parseCode } from '../identity/code.ts';
import { fromCode } from '../identity/secret.ts';
import { keepMailbox } from '../meeting/keeper.ts';
import { placeAt } from '../meeting/place.ts';
import type { OfferHeader } from '../offer/manifest.ts';
import type { OfferSummary } from '../session/api.ts';
import { receiveFrom } from '../session/receiving.ts';
import type { Session } from '../session/session.ts';
import { TextSink } from '../session/text-sink.ts';
import { Running } from '../session/transfer.ts';
import type { Sink } from '../sync/ports.ts';
import type { BrowserOptions, ReceiveInto, Reception } from './api.ts';
import { FolderSink } from './files/folder-sink.ts';
import type { Kept } from './files/kept.ts';
import { KeptSink } from './files/kept-sink.ts';
import { StreamSink } from './files/stream-sink.ts';
import { PageNetwork } from './network.ts';
import { knownDevice } from './people/keys.ts';
import { pagePlace } from './place.ts';
import { platform, requireSecureContext } from './platform.ts';
import { dialRendezvous } from './rendezvous.ts';

export interface BrowserReceiveOptions extends BrowserOptions {
  /** The whole code, `7-velvet-canyon`. It is needed without a `device`. */
  code?: string;
  /**
   * False: this page is not introduced to other receivers of the offer, and neither gives them anything nor fetches from them. It never
   * is with `relay: 'only'`, nor for a text or a download.
   */
  share?: boolean;
  /** Called with the offer before any byte moves. Returns where the bytes go, or false: then both sides end as REFUSED. */
  accept: (offer: OfferSummary) => Promise<ReceiveInto | false>;
}

/**
 * Receives what a sender offers under a code, into this page.
 *
 * @returns a running transfer: subscribe to its events, or await its `done`.
 * `done` rejects with the error: USAGE, WRONG_CODE, NO_PEER, CROWDED, SERVER, NO_PATH, UNSAFE_NAME, DISK_FULL, REFUSED, VERIFICATION,
 * CANCELLED, and the rest of ErrorCode.
 */
export function receive(options: BrowserReceiveOptions): Reception {
  const transfer = new Running('receiver', platform, options);
  const { session } = transfer;
  const { server, wait = RECEIVER_WAIT } = options;
  let sink: Sink | undefined;
  let fingerprint: string | undefined;
  receiveFrom(transfer, {
    ...{ options, platform },
    // What a folder or a download cannot hold gets another name there.
    names: 'posix',
    async known() {
      requireSecureContext();
      if (typeof options.accept !== 'function')
        throw fault('OPTION_WRONG', {
          name: 'accept',
          value: typeof options.accept,
          must: 'a function that says where the bytes go',
        });
      const { code, device } = options;
      if (device !== undefined) return knownDevice(device, 'receiver');
      if (code === undefined) throw fault('CODE_MISSING');
      return { secret: fromCode(parseCode(code)) };
    },
    device: async () => (options.device === undefined ? (await options.pair)?.id : undefined),
    place: (secret) => pagePlace(secret, transfer.signal),
    async meet(nameplate, signal, on) {
      // Who opens the page first does not matter: the sender is looked for, as the command does.
      const deadline = Math.max(FIND_DEADLINE, 1000 * (options.wait ?? 0));
      const nobody = fault('NOBODY_YET', { where: 'at that server' });
      const word = setTimeout(() => session.warn(nobody), FIND_WORD);
      try {
        return await keepMailbox(dialRendezvous(server), {
          ...{ role: 'guest', nameplate, signal, deadline, keepFor: 1000 * wait, waitForHost: true },
          ...on,
        });
      } finally {
        clearTimeout(word);
      }
    },
    async connect(mailbox) {
      const network = new PageNetwork(session, { server, relay: options.relay });
      fingerprint = network.hello().fingerprint;
      await network.meet(mailbox);
      return network;
    },
    async link(user, mailbox) {
      const network = new PageNetwork(user, { server, relay: 'never', fingerprint: fingerprint! });
      await network.meet(placeAt(mailbox));
      return network;
    },
    async sink(offer, summary) {
      const store = await options.accept(summary);
      if (store) sink = makeSink(session, offer, store);
      return sink;
    },
    keep: async () => undefined,
  }).catch((thrown) => transfer.fail(thrown));
  return Object.assign(transfer, { kept: keptBy(transfer, () => sink) });
}

function makeSink(session: Session, { kind }: OfferHeader, store: ReceiveInto): Sink {
  if (kind === 'text') return new TextSink((text) => session.emit({ event: 'text', text }));
  const onWarning = (warning: BeelineError) => session.warn(warning, warning.paths[0]);
  if (store === 'kept') return new KeptSink({ onWarning });
  if (store === 'stream') return new StreamSink({ onWarning });
  return new FolderSink(store, { onWarning });
}

async function keptBy(transfer: Running, sink: () => Sink | undefined): Promise<Kept | undefined> {
  try {
    await transfer.done;
  } catch {
    return undefined;
  }
  const into = sink();
  return into instanceof KeptSink ? into.kept() : undefined;
}
