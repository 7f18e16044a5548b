/** Telling the local network that a sender waits under a nameplate, and answering those who look for it. */
import { randomBytes } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import type { FullPacket } from 'multicast-dns';
import { Bucket } from './bucket.ts';
import { addressesFor } from './interfaces.ts';
import { type Link, Links } from './links.ts';
import { asksFor, records, type Service, wantsUnicast } from './records.ts';

/** RFC 6762, 8.3: at least two announcements, one second apart. Milliseconds. */
const AGAIN = 1000;
/** How often to look for new interfaces: a cable is plugged in while somebody waits. */
const REFRESH = 5000;
const UNICAST_PER_SECOND = 100;
const MULTICAST_PER_SECOND = 10;
const MDNS_PORT = 5353;

export interface AnnounceOptions {
  nameplate: string;
  /** TCP port of the sender's own rendezvous. */
  port: number;
  /** Only these interfaces, by name or address; for tests and for the careful. */
  interfaces?: readonly string[];
  log?: { debug(fields: object, message: string): void };
}

export interface Announcing {
  /** Host label and port, as finders see them. */
  readonly instance: string;
  /** Says goodbye and resolves when that has left. */
  close(): Promise<void>;
}

/** Resolves once announced on every link that works. Never rejects: a sender can be reached in other ways. */
export async function announce(options: AnnounceOptions): Promise<Announcing> {
  const { nameplate, port, interfaces: only, log } = options;
  const service: Service = { nameplate, port, label: `b-${randomBytes(6).toString('hex')}` };
  const unicast = new Bucket(UNICAST_PER_SECOND);
  const multicast = new WeakMap<Link, Bucket>();

  const tell = (link: Link, purpose: 'announce' | 'goodbye') =>
    link.respond(records(service, addressesFor(link.iface, only), purpose));
  const links = new Links('answer', { opened: announceOn, packet: answer }, only);

  function announceOn(link: Link): void {
    multicast.set(link, new Bucket(MULTICAST_PER_SECOND));
    void tell(link, 'announce');
    setTimeout(() => links.all.includes(link) && void tell(link, 'announce'), AGAIN).unref();
  }

  function answer(packet: FullPacket, source: RemoteInfo, link: Link): void {
    if (packet.type !== 'query') return;
    const asked = packet.questions.filter((question) => asksFor(question, service));
    if (asked.length === 0) return;
    const legacy = source.port !== MDNS_PORT;
    if ((legacy || asked.some(wantsUnicast)) && unicast.take()) {
      const reply = records(service, addressesFor(link.iface, only), legacy ? 'legacy' : 'announce');
      // RFC 6762, 6.7: a legacy answer repeats the query's id and question.
      const echo = legacy ? { id: packet.id, questions: asked } : {};
      void link.respond({ ...reply, ...echo }, { address: source.address, port: source.port });
    }
    // To the group as well: a firewall that lets mDNS pass may still stop a unicast answer.
    if (multicast.get(link)?.take()) void tell(link, 'announce');
  }

  await links.refresh();
  log?.debug({ links: links.all.map(({ iface }) => `${iface.name}/${iface.family}`) }, 'announced by mDNS');
  const timer = setInterval(() => void links.refresh(), REFRESH);
  timer.unref();

  return {
    instance: `${service.label}:${port}`,
    async close() {
      clearInterval(timer);
      await Promise.all(links.all.map((link) => tell(link, 'goodbye')));
      links.close();
    },
  };
}
