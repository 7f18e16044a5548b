/** The sender's end of a meeting: its port, its mailbox (its own or at a server), and its announcement on the LAN. */
import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { addressKey } from '../base/addresses.ts';
import { type BeelineError, fault } from '../base/errors.ts';
import { SENDER_WAIT } from '../base/limits.ts';
import type { Certificate } from '../identity/certificate.ts';
import type { SharedSecret } from '../identity/secret.ts';
import { type Announcing, announce } from '../meeting/lan/announce.ts';
import { taken } from '../meeting/lan/find.ts';
import { localMailbox, type Mailbox, type MailboxOptions, openMailbox } from '../meeting/mailbox.ts';
import { HTTP_DEADLINE } from '../server/limits.ts';
import { createRendezvous, type Rendezvous } from '../server/rendezvous.ts';
import { createTurnstile, type Turnstile } from '../server/turnstile.ts';
import { warningEvent } from '../session/cause.ts';
import type { Running } from '../session/transfer.ts';
import type { Listener } from '../transports/tcp/listen.ts';
import { parseHostPort } from './addresses.ts';
import type { SendOptions } from './api.ts';
import { DhtHosting, type DhtNodes, wantsDht } from './dht.ts';
import { openPort } from './port.ts';
import { serveWeb } from './web.ts';

type HostEvents = Pick<
  MailboxOptions,
  'onMessage' | 'onPeer' | 'onServer' | 'onLost' | 'onWelcome' | 'guests'
>;

/** Milliseconds to listen for other senders' nameplates before one is chosen. */
const PROBE = 120;
/** Milliseconds for a standing server to answer. */
const SERVER_DEADLINE = 15_000;
/** One person's rendezvous: no stranger on the network takes most of its connections. */
const OWN_LIMITS = {
  ...{ connections: 128, connectionsPerAddress: 32 },
  ...{ relayConnections: 128, relayStrangers: 64, relayConnectionsPerAddress: 64 },
};

/** Strangers that a sender in the DHT has room for while they prove themselves, since anybody may come there. */
const STRANGERS = 16;

/** A rendezvous' HTTP server, which has no port of its own: what it takes comes from the port of lanes. */
function serving(rendezvous: Rendezvous): (socket: Socket) => void {
  const http = createServer({ maxHeaderSize: 8192 });
  // One listener for each connection until it ends: bounded where connections are.
  http.setMaxListeners(0);
  rendezvous.serve(http);
  const turnstile = createTurnstile(http);
  return (socket) => serve(http, turnstile, socket);
}

/**
 * Hands a connection to an HTTP server that does not listen itself, for which node:http never starts its own clocks:
 * what has not become a WebSocket within the deadline is a stranger's, and ends.
 */
function serve(http: Server, turnstile: Turnstile, socket: Socket): void {
  const upgraded = (_request: unknown, which: Duplex) => {
    if (turnstile.carrierOf(which) === socket) clearTimeout(timer);
  };
  const timer = setTimeout(() => socket.destroy(), HTTP_DEADLINE);
  http.on('upgrade', upgraded);
  socket.once('close', () => {
    clearTimeout(timer);
    http.off('upgrade', upgraded);
  });
  turnstile.enter(socket, addressKey(socket.remoteAddress ?? ''));
}

interface Hosted {
  mailbox: Mailbox;
  port: number;
  /** With `web`: where the page is. */
  pages?: string[];
}

/** What all nameplates of a sender share. */
interface Opened {
  listener: Listener;
  /** Absent where the two sides meet at a server. */
  rendezvous?: Rendezvous;
  pages?: string[];
}

/** A sender's port, and its mailboxes: one for each secret that it is met under. */
export class Hosting {
  readonly #transfer: Running;
  readonly #options: SendOptions;
  readonly #certificate: Certificate;
  readonly #dht: DhtHosting | undefined;
  #opened: Promise<Opened> | undefined;

  /** @param onDht somebody has come over the DHT */
  constructor(
    transfer: Running,
    options: SendOptions,
    certificate: Certificate,
    onDht: (nodes: DhtNodes) => void,
  ) {
    this.#transfer = transfer;
    this.#options = options;
    this.#certificate = certificate;
    if (!wantsDht(options)) return;
    const warn = (error: BeelineError) => transfer.events.emit(warningEvent(error));
    const dht = new DhtHosting(options, { onVisitor: onDht, warn, log: transfer.log });
    this.#dht = dht;
    transfer.cleanup.push(() => dht.close());
  }

  /**
   * @param nameplate undefined to have one chosen
   * @param secret what it is for, if that is known
   * @throws BeelineError USAGE, SERVER, CROWDED, TIMEOUT.
   */
  async mailbox(
    nameplate: string | undefined,
    secret: SharedSecret | undefined,
    on: HostEvents,
  ): Promise<Hosted> {
    const { server, lan = true, wait = SENDER_WAIT } = this.#options;
    const transfer = this.#transfer;
    const looks = server === undefined && lan && nameplate === undefined;
    const [{ listener, rendezvous, pages }, used] = await Promise.all([
      this.#open(),
      looks ? taken(PROBE) : new Set<string>(),
    ]);
    if (!rendezvous) {
      const { signal } = this.#options;
      const keepFor = 1000 * wait;
      const at = { url: server!, nameplate, deadline: SERVER_DEADLINE, keepFor, signal };
      const mailbox = await openMailbox({ role: 'host', ...at, ...on });
      transfer.cleanup.push(() => mailbox.close());
      return { mailbox, port: listener.port };
    }
    // A name of this process's own choice is claimed before anybody is told of it; a given one is there once it can be used.
    const choose = () => freeNameplate(used, this.#dht ? DIGITS_OF_WORLD : undefined);
    const claim = () => announce({ nameplate: nameplate ?? choose, port: listener.port });
    const announcing = looks ? await claim() : undefined;
    const plate = nameplate ?? announcing?.nameplate ?? choose();
    const goodbye = (announced: Announcing) => transfer.cleanup.push(() => announced.close());
    if (announcing) goodbye(announcing);
    const mailbox = await localMailbox(rendezvous, {
      role: 'host',
      nameplate: plate,
      deadline: 5000,
      ...on,
      ...(this.#dht && { guests: Math.max(STRANGERS, on.guests ?? 1) }),
    });
    transfer.cleanup.push(() => mailbox.close());
    if (lan && !announcing) goodbye(await claim());
    // Nobody waits for that: it takes a moment, and the network may lead to no node.
    void this.#dht?.announce(plate, secret, rendezvous);
    return { mailbox, port: listener.port, ...(pages && { pages }) };
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#openPort();
    return this.#opened;
  }

  async #openPort(): Promise<Opened> {
    const { at, server, web = false, log } = this.#options;
    const bind = at === undefined ? undefined : parseHostPort(at);
    const [transfer, options, certificate] = [this.#transfer, this.#options, this.#certificate];
    if (server !== undefined) return { listener: await openPort(transfer, options, certificate, bind) };
    const rendezvous = createRendezvous({
      ...{ log, page: web, relay: web, limits: OWN_LIMITS },
      // What strangers want to send each other is no business of this process.
      hosts: 'this process',
    });
    const listener = await openPort(transfer, options, certificate, bind, serving(rendezvous));
    transfer.cleanup.push(() => rendezvous.close());
    // Who chose the place knows it.
    const { lan = true, port = 0 } = options;
    if (!lan && !this.#dht && at === undefined && port === 0 && !web)
      transfer.events.emit(warningEvent(fault('ONLY_AT_PORT', { port: listener.port })));
    const beside = { host: bind?.host, port: bind?.port ?? options.port };
    // Before the mailboxes, so that it is closed after them: who waits there hears why.
    const pages = web ? await serveWeb(transfer, rendezvous, certificate, beside) : undefined;
    return { listener, rendezvous, ...(pages && { pages }) };
  }
}

/** Of a nameplate that is announced to the world: as many as a telephone number has, so that two senders seldom have the same. */
const DIGITS_OF_WORLD = 7;

/** A number that nobody on this network uses, as far as is known, another one each time. @param digits default: few */
function freeNameplate(used: Set<string>, digits?: number): string {
  for (let attempt = 0; attempt < 1000; attempt++) {
    // Three digits are easy to say, and so many that those who start together seldom choose the same.
    const plate = String(
      digits === undefined
        ? 1 + randomInt(attempt < 20 ? 999 : 99_999)
        : randomInt(10 ** (digits - 1), 10 ** digits),
    );
    if (used.has(plate)) continue;
    used.add(plate);
    return plate;
  }
  throw fault('CODES_TAKEN');
}
