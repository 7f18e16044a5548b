/**
 * The relay: connections of a mailbox's two sides, matched and spliced. It needs no trust: what it carries is the peers'
 * TLS, or a page's sealed lane. A pair outlives the place, and the mailbox, that it was opened from: a lost mailbox must not end a transfer that
 * runs. Its own limits end it.
 */
import type { WebSocket } from 'ws';
import { addressKey } from '../base/addresses.ts';
import { asBeelineError, type BeelineError } from '../base/errors.ts';
import { Room } from '../base/room.ts';
import { CLOSE, decodeRelayHello, encodeMoved, encodePaired } from '../wire/relay.ts';
import { SHUTTING_DOWN } from './health.ts';
import type { ServerLog } from './log.ts';
import { busy, type Mailboxes } from './mailboxes.ts';
import {
  type Awaitable,
  type Place,
  pairName,
  REMEMBERED_MS,
  type Side,
  whenKnown,
} from './meeting-store.ts';
import { keyOf } from './places.ts';
import { RelayPair, RelaySocket } from './relay-pair.ts';
import { RelayUsage } from './relay-usage.ts';

/** How long closing handshakes may take when the server closes, in milliseconds. */
const CLOSING = 2000;

const MADE_WAY = 'The relay is full, and this address has more of it than others: it makes way for them.';
const fullOf = (most: number) => `This server's relay is full (${most} connections). Try again later.`;

/** Those who wait for each other: a guest's connections, and the host's for this guest. */
type Waiting = Record<Side, RelaySocket[]>;

export interface RelayCounts {
  relayConnections: number;
  relayPairs: number;
  /** Since the start, both directions. */
  relayBytes: number;
}

export const NO_RELAY: Readonly<RelayCounts> = { relayConnections: 0, relayPairs: 0, relayBytes: 0 };

export class Relay {
  readonly #mailboxes: Mailboxes;
  readonly #log: ServerLog;
  readonly #sockets = new Set<RelaySocket>();
  /** Those that have shown no token, and those that have. */
  readonly #strangers: Room<RelaySocket>;
  readonly #members: Room<RelaySocket>;
  /** By the mailbox that the two met at, and the guest's number. It may live in another instance. */
  readonly #waiting = new Map<string, Map<number, Waiting>>();
  /** When the store was told last that somebody waits here. */
  #held = 0;
  /** By the address that the meeting belongs to. */
  readonly #pairs: Room<RelayPair>;
  readonly #usage: RelayUsage;
  #onIdle = () => {};

  constructor(mailboxes: Mailboxes, log: ServerLog) {
    this.#mailboxes = mailboxes;
    this.#log = log;
    const { limits } = mailboxes;
    this.#usage = new RelayUsage(limits, mailboxes.clock);
    const { relayStrangers, relayConnections, relayConnectionsPerAddress: ofAddress, relayPairs } = limits;
    this.#strangers = new Room({ inAll: relayStrangers, ofAddress }, 'oldest', (socket) =>
      socket.terminate(),
    );
    this.#members = new Room({ inAll: relayConnections, ofAddress }, 'fair', (socket) =>
      this.#refuse(socket, MADE_WAY, CLOSE.busy),
    );
    this.#pairs = new Room({ inAll: relayPairs }, 'fair', (pair) => pair.end(CLOSE.busy, MADE_WAY));
    const { places, store } = mailboxes;
    const vacated = (place: Pick<Place, 'meeting' | 'side' | 'guest'>) =>
      this.#sendAway(
        this.#waitingIn(place),
        'This place at the meeting was left, or taken by a newer connection.',
      );
    places.onVacated = (place) => {
      const { meeting, side, guest } = place;
      vacated(place);
      store.broadcast({ t: 'vacated', meeting, side, guest });
    };
    mailboxes.relayNews = {
      vacated,
      back: () => this.#holdAll(),
      pairLost: (pair) => {
        const [meeting = '', guest] = pair.split(':');
        const { host = [], guest: guests = [] } = this.#waiting.get(meeting)?.get(Number(guest)) ?? {};
        this.#sendAway([...host, ...guests], 'Another instance of this server carries these lanes now.');
      },
    };
  }

  #allWaiting(): RelaySocket[] {
    return [...this.#waiting.values()].flatMap((guests) =>
      [...guests.values()].flatMap(({ host, guest }) => [...host, ...guest]),
    );
  }

  #sendAway(sockets: readonly RelaySocket[], reason: string): void {
    for (const socket of sockets) {
      this.#forget(socket);
      socket.end(CLOSE.goingAway, reason);
    }
  }

  #holdAll(): void {
    this.#held = this.#mailboxes.clock();
    for (const [meeting, guests] of this.#waiting)
      for (const guest of guests.keys()) this.#mailboxes.store.hold(pairName({ meeting, guest }));
  }

  get counts(): RelayCounts {
    const { bytes, pairs } = this.#usage;
    return { relayConnections: this.#sockets.size, relayPairs: pairs, relayBytes: bytes };
  }

  /** Why one more connection from this address would be refused, if it would. */
  refusal(address: string): BeelineError | undefined {
    const reason = this.#full(addressKey(address));
    return reason === undefined ? undefined : busy(reason);
  }

  accept(webSocket: WebSocket, address: string): void {
    const socket = new RelaySocket(webSocket, addressKey(address), this.#mailboxes.clock());
    this.#sockets.add(socket);
    this.#strangers.enter(socket.key, socket);
    webSocket.once('close', () => {
      this.#sockets.delete(socket);
      this.#strangers.leave(socket);
      this.#members.leave(socket);
      this.#forget(socket);
    });
    webSocket.once('message', (data, isBinary) => {
      try {
        const greeted = this.#greeted(socket, isBinary ? '' : data.toString());
        if (greeted instanceof Promise)
          greeted.catch((thrown) =>
            this.#refuse(socket, asBeelineError(thrown, 'SERVER').message, CLOSE.busy),
          );
      } catch (thrown) {
        this.#refuse(socket, asBeelineError(thrown).message, CLOSE.protocol);
      }
    });
  }

  /** Pings waiting clients, and ends those that ask, answer or send nothing. `tick`: milliseconds between calls. */
  sweep(tick: number): void {
    const { clock, limits } = this.#mailboxes;
    const now = clock();
    for (const socket of this.#sockets)
      if (!socket.place && now - socket.since >= limits.helloDeadline)
        this.#refuse(socket, 'This connection asked for nothing and was closed.');
    for (const socket of this.#allWaiting()) socket.ping(tick, limits.pongDeadline);
    if (now - this.#held >= REMEMBERED_MS / 3) this.#holdAll();
    for (const pair of this.#pairs) pair.checkIdle(now, limits.relayIdle);
    this.#usage.sweep(now);
  }

  /** Ends what does not carry, and takes no more. Resolves when the last pair has ended; undefined: there is none. */
  drain(): Promise<void> | undefined {
    const carrying = new Set([...this.#pairs].flatMap(({ host, guest }) => [host, guest]));
    for (const socket of this.#sockets) if (!carrying.has(socket)) socket.end(CLOSE.goingAway, SHUTTING_DOWN);
    if (carrying.size === 0) return undefined;
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) pair.end(CLOSE.goingAway, SHUTTING_DOWN);
    const all = [...this.#sockets];
    for (const socket of all) socket.end(CLOSE.goingAway, SHUTTING_DOWN);
    const cut = setTimeout(() => {
      for (const socket of all) socket.terminate();
    }, CLOSING);
    await Promise.all(all.map(({ closed }) => closed));
    clearTimeout(cut);
  }

  #greeted(socket: RelaySocket, text: string): Awaitable<void> {
    const hello = decodeRelayHello(text);
    const { places, store } = this.#mailboxes;
    if ('ticket' in hello)
      return whenKnown(store.redeem(hello.ticket), (place) => {
        if (place) this.#wait(socket, place);
        else this.#refuse(socket, 'This ticket for the relay is not good (any more).');
      });
    const { token, guest } = hello;
    return whenKnown(places.of(token) ?? store.placeOf(keyOf(token)), (shown) => {
      if (!shown) return this.#refuse(socket, 'The relay knows no such place at a meeting (any more).');
      if ((shown.side === 'host') !== (guest !== undefined))
        return this.#refuse(
          socket,
          'A host, and nobody else, says which guest it waits for.',
          CLOSE.protocol,
        );
      const place = guest === undefined ? shown : { ...shown, guest };
      return whenKnown(store.carrier(pairName(place)), (carrier) => {
        if (!carrier) return this.#refuse(socket, 'No instance of this server relays just now.', CLOSE.busy);
        if (carrier.here) return this.#wait(socket, place);
        const { instance, url } = carrier;
        return whenKnown(store.ticket(instance, place), (ticket) => {
          if (!socket.open) return;
          socket.webSocket.send(encodeMoved({ url, ticket }));
          socket.refuse('', CLOSE.normal);
        });
      });
    });
  }

  #wait(socket: RelaySocket, place: Place): void {
    if (!socket.open) return;
    // Between the check before the upgrade and now, others may have come.
    const full = this.#full(socket.key);
    if (full !== undefined) return this.#refuse(socket, full, CLOSE.busy);
    this.#strangers.leave(socket);
    this.#members.enter(socket.key, socket);
    socket.place = place;
    const other = this.#take(place);
    if (other) return this.#pair(place, socket, other);
    const { relayWaiting } = this.#mailboxes.limits;
    const waiting = this.#waitingAt(place)[place.side];
    if (waiting.length >= relayWaiting)
      return this.#refuse(
        socket,
        `Too many connections of this side wait already (${relayWaiting} is the limit).`,
      );
    waiting.push(socket);
    socket.webSocket.once('message', () => {
      if (waiting.includes(socket)) socket.end(CLOSE.protocol, 'The other side was not there yet.');
    });
  }

  /** The other side's connection that came last: of several, the one that is least likely to be dead unnoticed. */
  #take({ meeting, side, guest }: Place): RelaySocket | undefined {
    const others = this.#waiting.get(meeting)?.get(guest)?.[side === 'host' ? 'guest' : 'host'] ?? [];
    const found = others.findLast(({ open }) => open);
    if (found) this.#forget(found);
    return found;
  }

  #pair({ meeting, owner, side, guest: number }: Place, socket: RelaySocket, other: RelaySocket): void {
    const ends = [socket, other];
    const { limits, clock } = this.#mailboxes;
    const full = this.#pairs.refusal(owner) && fullOf(limits.relayPairs);
    const refusal = full ?? this.#usage.open(meeting, number, ends);
    if (refusal) {
      for (const end of ends) this.#refuse(end, refusal);
      return;
    }
    const [host, guest] = side === 'host' ? [socket, other] : [other, socket];
    const pair = new RelayPair({
      host,
      guest,
      meter: this.#usage.meter(meeting, ends),
      buffer: limits.relayBuffer,
      clock,
      ended: () => {
        this.#pairs.leave(pair);
        this.#usage.close(meeting, number, ends);
        const seconds = Math.round((clock() - pair.born) / 1000);
        this.#log.info({ bytes: pair.bytes, seconds, why: pair.why, ...this.counts }, 'relayed');
        if (this.#pairs.size === 0) this.#onIdle();
      },
    });
    this.#pairs.enter(owner, pair);
    this.#mailboxes.tally.relayPairs++;
    this.#log.debug({ host: host.key, guest: guest.key, ...this.counts }, 'relaying');
    for (const { webSocket } of ends) webSocket.send(encodePaired());
  }

  #refuse(socket: RelaySocket, reason: string, code: number = CLOSE.policy): void {
    this.#mailboxes.tally.refusedAtRelay(code);
    socket.refuse(reason, code);
  }

  /** Why no further connection with a token may come from this address, if none may. */
  #full(key: string): string | undefined {
    const { relayConnections, relayConnectionsPerAddress } = this.#mailboxes.limits;
    const reason = this.#members.refusal(key);
    if (reason === 'all') return fullOf(relayConnections);
    if (reason === 'address')
      return `Too many connections to the relay from your address (${relayConnectionsPerAddress} is the limit).`;
    return undefined;
  }

  /** All that wait in the name of a place: a host's for each of its guests. */
  #waitingIn({ meeting, side, guest }: Pick<Place, 'meeting' | 'side' | 'guest'>): RelaySocket[] {
    const guests = this.#waiting.get(meeting);
    if (!guests) return [];
    if (side === 'guest') return guests.get(guest)?.guest.slice() ?? [];
    return [...guests.values()].flatMap(({ host }) => host);
  }

  #waitingAt({ meeting, guest }: Place): Waiting {
    const guests = this.#waiting.get(meeting) ?? new Map<number, Waiting>();
    this.#waiting.set(meeting, guests);
    const waiting = guests.get(guest) ?? { host: [], guest: [] };
    guests.set(guest, waiting);
    return waiting;
  }

  /** It waits no longer. */
  #forget({ place, webSocket }: RelaySocket): void {
    if (!place) return;
    const guests = this.#waiting.get(place.meeting);
    const waiting = guests?.get(place.guest);
    if (!guests || !waiting) return;
    const queue = waiting[place.side];
    const index = queue.findIndex((each) => each.webSocket === webSocket);
    if (index >= 0) queue.splice(index, 1);
    if (waiting.host.length + waiting.guest.length === 0) guests.delete(place.guest);
    if (guests.size === 0) this.#waiting.delete(place.meeting);
  }
}
