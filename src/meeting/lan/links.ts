/**
 * Sockets on every link. `answer` sockets share port 5353 with whatever else speaks mDNS here; `ask` sockets have a
 * port of their own, so that a unicast answer reaches this process and no other (RFC 6762, 6.7).
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { MulticastDNS, QueryOutgoingPacket, ResponseOutgoingPacket } from 'multicast-dns';
import { type Interface, multicastInterfaces } from './interfaces.ts';
import { screen } from './screen.ts';

const PORT = 5353;
const GROUP = { 4: '224.0.0.251', 6: 'ff02::fb' } as const;
/** Milliseconds until a socket must be bound, and until a packet must have left. */
const OPENING = 1000;
const SENDING = 250;

export type LinkKind = 'answer' | 'ask';

export interface Link {
  readonly iface: Interface;
  /** Resolves when the packet has left, or could not: on a network that is the same. */
  query(packet: QueryOutgoingPacket): Promise<void>;
  /** To the group, or to one address. */
  respond(packet: ResponseOutgoingPacket, to?: { address: string; port: number }): Promise<void>;
}

export interface LinkEvents {
  opened?(link: Link): void;
  /** A packet from this link that mentions our service; `packet.type` is 'query' or 'response'. */
  packet(packet: import('multicast-dns').FullPacket, source: RemoteInfo, link: Link): void;
}

interface OpenLink extends Link {
  close(): void;
}

export class Links {
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

  get all(): readonly Link[] {
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
      // Every socket of the group hears all links on Linux: only the right one may go on.
      if (!iface.isOnLink(source.address) || !passes(message)) return false;
    }
    return emit(event, ...args);
  };
  socket.emit = guarded as typeof socket.emit;
}

function opening(mdns: MulticastDNS, socket: Socket, begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('not bound in time')), OPENING);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    // Stays for good: later errors of the socket cost packets, not the process.
    mdns.on('error', (error) => settle(() => reject(error)));
    socket.on('error', (error) => settle(() => reject(error)));
    socket.once('listening', () => settle(resolve));
    begin();
  });
}

function sent(send: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, SENDING);
    send(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
