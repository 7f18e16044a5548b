/**
 * Sockets on every link. `answer` sockets share port 5353 with whatever else speaks mDNS here; `ask` sockets have a
 * port of their own, so that a unicast answer reaches this process and no other (RFC 6762, 6.7).
 */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { MulticastDNS, QueryOutgoingPacket, ResponseOutgoingPacket } from 'multicast-dns';
import { TokenBucket } from '../../base/bucket.ts';
import { atMost, realClock, withDeadline } from '../../base/clock.ts';
import { type Interface, multicastInterfaces } from './interfaces.ts';
import { SERVICE } from './records.ts';

/** Announcements fit one Ethernet frame; larger packets are other services'. */
const MOST_BYTES = 1500;
/** Bounds what the decoder allocates and how often it can be sent along a chain of name pointers. */
const MOST_RECORDS = 64;
const HEADER = 12;
const PACKETS_PER_SECOND = 200;

/** True for a DNS message (RFC 1035, 4.1.1) of tolerable size that mentions our service. */
export function isPlausible(packet: Buffer): boolean {
  if (packet.length < HEADER || packet.length > MOST_BYTES) return false;
  // RFC 6762, 18.3 and 18.11: other opcodes and non-zero response codes are ignored.
  if ((packet.readUInt16BE(2) & 0x780f) !== 0) return false;
  let records = 0;
  for (let at = 4; at < HEADER; at += 2) records += packet.readUInt16BE(at);
  if (records === 0 || records > MOST_RECORDS) return false;
  return packet.toString('latin1', HEADER).toLowerCase().includes(LABEL);
}

/** The first label of the service with its length byte, as it stands in a packet. */
const LABEL = `${String.fromCharCode(SERVICE.indexOf('.'))}${SERVICE.split('.')[0]}`;

/**
 * The packets that are parsed. Anybody on the link can send anything to port 5353, at any rate. `isPlausible` at a
 * bounded rate.
 */
function screen(): (packet: Buffer) => boolean {
  const bucket = new TokenBucket(PACKETS_PER_SECOND);
  return (packet) => isPlausible(packet) && bucket.take();
}

const PORT = 5353;
const GROUP = { 4: '224.0.0.251', 6: 'ff02::fb' } as const;
/** Until a socket must be bound, and until a packet must have left. */
const OPENING_MS = 1000;
const SENDING_MS = 250;

type LinkKind = 'answer' | 'ask';

export interface LanLink {
  readonly iface: Interface;
  /** Resolves when the packet has left, or could not: on a network that is the same. */
  query(packet: QueryOutgoingPacket): Promise<void>;
  /** To the group, or to one address. */
  respond(packet: ResponseOutgoingPacket, to?: { address: string; port: number }): Promise<void>;
}

interface LinkEvents {
  opened?(link: LanLink): void;
  /** A packet from this link that mentions our service; `packet.type` is 'query' or 'response'. */
  packet(packet: import('multicast-dns').FullPacket, source: RemoteInfo, link: LanLink): void;
}

interface OpenLink extends LanLink {
  close(): void;
}

export class LanLinks {
  readonly #kind: LinkKind;
  readonly #events: LinkEvents;
  readonly #only: readonly string[] | undefined;
  readonly #links = new Map<string, OpenLink>();
  readonly #pending = new Set<string>();
  #closed = false;

  constructor(kind: LinkKind, events: LinkEvents, only?: readonly string[]) {
    this.#kind = kind;
    this.#events = events;
    this.#only = only;
  }

  get all(): readonly LanLink[] {
    return [...this.#links.values()];
  }

  /** Opens what is new and closes what is gone. Never rejects: a link that does not work is as good as absent. */
  async refresh(): Promise<void> {
    if (this.#closed) return;
    const wanted = new Map(
      multicastInterfaces(this.#only).map((iface) => [
        `${iface.name} ${iface.family} ${iface.address}`,
        iface,
      ]),
    );
    for (const [key, link] of this.#links) {
      if (wanted.has(key)) continue;
      this.#links.delete(key);
      link.close();
    }
    await Promise.all([...wanted].map(([key, iface]) => this.#open(key, iface)));
  }

  close(): void {
    this.#closed = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  async #open(key: string, iface: Interface): Promise<void> {
    if (this.#links.has(key) || this.#pending.has(key)) return;
    this.#pending.add(key);
    try {
      const link = await openLink(this.#kind, iface, this.#events.packet);
      if (this.#closed) return link.close();
      this.#links.set(key, link);
      this.#events.opened?.(link);
    } catch {
      // No multicast there, or the port is taken for good: the other links do without it.
    } finally {
      this.#pending.delete(key);
    }
  }
}

async function openLink(kind: LinkKind, iface: Interface, onPacket: LinkEvents['packet']): Promise<OpenLink> {
  const { default: multicastDns } = await import('multicast-dns');
  const socket = createSocket({
    type: iface.family === 4 ? 'udp4' : 'udp6',
    reuseAddr: kind === 'answer',
    // Otherwise an IPv6 socket would claim the IPv4 port too; an IPv4 one cannot have the option.
    ipv6Only: iface.family === 6,
  });
  guard(socket, iface);
  const any = iface.family === 4 ? '0.0.0.0' : '::';
  const mdns = multicastDns({
    socket,
    type: iface.family === 4 ? 'udp4' : 'udp6',
    port: PORT,
    ip: GROUP[iface.family],
    interface: iface.family === 4 ? iface.address : `::%${iface.zone}`,
    // A socket bound to a unicast address gets no multicast on Linux.
    bind: kind === 'answer' ? any : false,
  });
  const close = () => {
    try {
      mdns.destroy();
    } catch {
      // A socket that never opened cannot be closed.
    }
  };
  try {
    await opening(mdns, socket, () => {
      if (kind === 'ask') socket.bind(0, iface.family === 4 ? iface.address : any);
    });
  } catch (error) {
    close();
    throw error;
  }
  const link: OpenLink = {
    iface,
    query: (packet) => sent((done) => mdns.query(packet, done)),
    respond: (packet, to) =>
      sent((done) => (to ? mdns.respond(packet, to, done) : mdns.respond(packet, done))),
    close,
  };
  mdns.on('packet', (packet, source: RemoteInfo) => onPacket(packet, source, link));
  return link;
}

/** Puts the screen before multicast-dns, which decodes everything that its socket emits. */
function guard(socket: Socket, iface: Interface): void {
  const passes = screen();
  const emit = socket.emit.bind(socket) as (event: string, ...args: unknown[]) => boolean;
  const guarded = (event: string, ...args: unknown[]): boolean => {
    if (event === 'message') {
      const [message, source] = args as [Buffer, RemoteInfo];
      // On Linux every socket of the group gets the packets of all links. Only the right socket uses one.
      if (!iface.isOnLink(source.address) || !passes(message)) return false;
    }
    return emit(event, ...args);
  };
  socket.emit = guarded as typeof socket.emit;
}

function opening(mdns: MulticastDNS, socket: Socket, begin: () => void): Promise<void> {
  const late = () => new Error('not bound in time');
  const bound = () =>
    new Promise<void>((resolve, reject) => {
      // Stays for good: later errors of the socket cost packets, not the process.
      mdns.on('error', reject);
      socket.on('error', reject);
      socket.once('listening', resolve);
      begin();
    });
  return withDeadline(realClock, undefined, OPENING_MS, late, bound);
}

async function sent(send: (done: () => void) => void): Promise<void> {
  await atMost(realClock, SENDING_MS, new Promise<void>(send));
}
