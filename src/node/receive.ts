/** `receive` on Node: into a folder, a stream, or as a text. */

import { resolve } from 'node:path';
import { TokenBucket } from '../base/bucket.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { makeCertificate } from '../identity/certificate.ts';
import { placeFor } from '../identity/place.ts';
import type { SharedSecret } from '../identity/secret.ts';
import { versionKey } from '../identity/version-key.ts';
import { placeAt } from '../meeting/place.ts';
import { contextOf } from '../secure/tls.ts';
import { receiveFrom } from '../session/receiving.ts';
import { Running } from '../session/transfer.ts';
import { Ahead } from '../transports/tcp/ahead.ts';
import type { Address } from '../wire/candidate.ts';
import type { ReceiveOptions, Transfer } from './api.ts';
import type { DhtNodes } from './dht.ts';
import { Destination } from './files/destination.ts';
import { type Met, meetAsGuest } from './meet.ts';
import { Forwards } from './network/forwarding.ts';
import type { Network } from './network/network.ts';
import { openNetwork } from './network/open.ts';
import { checkReceive } from './options.ts';
import { openPort } from './port.ts';
import { keepReceipt } from './receipts.ts';
import { secretsFrom } from './secret.ts';
import { endStream, makeSink, placedWithin, settle } from './sinks.ts';
import { Threading } from './threading.ts';
import type { Trusting } from './trusting.ts';

/**
 * Connections to addresses that other receivers chose, of all together: at once, and a second afterwards. They must not make this side
 * flood anybody.
 */
const MEMBERS_DIALS = 256;
const MEMBERS_DIALS_PER_S = 16;

/**
 * Receives what a sender offers under `options.code` (or `psk`, or `device`).
 *
 * @returns a running transfer: iterate it for events, or await its `done`.
 * `done` rejects with the error: USAGE, WRONG_CODE, NO_PEER, CROWDED, NO_PATH, EXISTS, UNSAFE_NAME, DISK_FULL, REFUSED,
 * VERIFICATION, CANCELLED, and the rest of ErrorCode.
 */
export function receive(given: ReceiveOptions): Transfer {
  const settled = settle(given);
  const { options } = settled;
  const threading = new Threading(options, options.store === undefined && options.to !== '-');
  const { platform } = threading;
  const transfer = new Running('receiver', platform, options);
  const { session } = transfer;
  transfer.cleanup.push(() => endStream(session, options));
  let made: ReturnType<typeof makeCertificate> | undefined;
  let met: Met | undefined;
  let secret: SharedSecret | undefined;
  /** Of the DHT, once somebody was met there. */
  let nodes: DhtNodes | undefined;
  let trusted: Trusting | undefined;
  let reached: Network | undefined;
  let port = 0;
  let ahead: Ahead | undefined;
  transfer.cleanup.push(() => ahead?.close());
  const forwards = new Forwards(transfer.log);
  const dials = new TokenBucket(MEMBERS_DIALS_PER_S, MEMBERS_DIALS);
  receiveFrom(transfer, {
    options,
    platform,
    // Names that this system does not take are given others by the sink.
    names: 'posix',
    async known() {
      if (settled.wrong) throw settled.wrong;
      checkReceive(options);
      const [known] = await secretsFrom(options, 'receiver');
      if (!known) throw fault('CODE_MISSING');
      // The current folder is not checked: a text does not need it.
      if (options.to !== undefined && !['.', '-'].includes(options.to)) new Destination(options.to).check();
      // Made while the sender is being looked for.
      made = makeCertificate();
      made.catch(() => {});
      secret = known.secret;
      // Loaded only where it is asked for.
      const { trust, configDir } = options;
      if (trust !== undefined) {
        const { trusting } = await import('./trusting.ts');
        trusted = await trusting(transfer, { trust, configDir }, (error) => session.warn(error));
      }
      return known;
    },
    device: async () => trusted?.device,
    place: async (secret) =>
      placeFor(await versionKey(options.configDir), secret, resolve(options.to ?? '.')),
    async meet(_, signal, on) {
      const onNobody = (error: BeelineError) => session.warn(error);
      const onSender = async (at: Address) => {
        const certificate = await made!.catch(() => undefined);
        if (!certificate || options.relay === 'only' || session.proven || session.over) return;
        ahead?.close();
        ahead = new Ahead(at, contextOf(certificate));
      };
      const onDht = (seen: DhtNodes) => {
        nodes = seen;
        reached?.observedBy(seen);
      };
      met = await meetAsGuest(secret!, options, signal, { ...on, onNobody, onSender, onDht });
      const { close } = met;
      if (close) transfer.cleanup.push(close);
      return met.mailbox;
    },
    async connect(mailbox) {
      const certificate = await made!;
      const network = openNetwork(session, certificate, options, {
        met: () => met?.addresses ?? [],
        ahead: () => ahead,
        forwards,
        threads: threading,
      });
      const listener = await openPort(transfer, options, certificate);
      port = listener.port;
      if (!session.over) {
        network.start(port);
        network.meet(mailbox, options.server);
        if (nodes) network.observedBy(nodes);
        reached = network;
      }
      return network;
    },
    async link(user, mailbox) {
      const network = openNetwork(
        user,
        await made!,
        { ...options, relay: 'never' },
        { forwards, dials, threads: threading },
      );
      network.listening(port);
      const place = placeAt(mailbox);
      let wide = false;
      const widen = () => {
        if (wide) return;
        wide = true;
        network.start(port);
        if (options.server !== undefined) network.meet(place, options.server);
      };
      return Object.assign(network, { widen });
    },
    async sink(offer, told) {
      const { accept } = options;
      const [summary, within] = await placedWithin(told, options);
      const accepted = accept === 'all' || (await accept(summary)) === true;
      if (!accepted) return undefined;
      threading.start(transfer, await made!, offer.bytes);
      return options.store?.(summary) ?? makeSink(session, offer, within);
    },
    async keep(facts) {
      await trusted?.add();
      return keepReceipt((error) => session.warn(error), options.receipt, facts, options.links);
    },
  }).catch((thrown) => transfer.fail(thrown));
  return transfer;
}
