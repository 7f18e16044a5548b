/** Telling the local network that a sender waits under a nameplate, and answering those who look for it. */
import { randomBytes } from 'node:crypto';
import type { RemoteInfo } from 'node:dgram';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { FullPacket } from 'multicast-dns';
import { TokenBucket } from '../../base/bucket.ts';
import { addressesFor } from './interfaces.ts';
import { type LanLink, LanLinks } from './links.ts';
import { announcements, asksFor, type LanService, probe, probers, records, wantsUnicast } from './records.ts';

/** RFC 6762, 8.3: at least two announcements, one second apart. Milliseconds. */
const AGAIN = 1000;
/** How often to look for new interfaces: a cable is plugged in while somebody waits. */
const REFRESH = 5000;
const UNICAST_PER_SECOND = 100;
const MULTICAST_PER_SECOND = 10;
const MDNS_PORT = 5353;
/** RFC 6762, 8.1: a name is probed for three times. Less than its 250 ms apart: a person waits for the code. */
const PROBES = 3;
const PROBE_PAUSE = 90;
/** Pauses that were much too long, and count for nothing, before they count all the same. */
const MOST_LATE = 5;
/** After so many taken names the next is used without a probe. So no stranger can keep a sender from having one. */
const MOST_CLAIMS = 20;

interface AnnounceOptions {
  /** Or a function that chooses one. It is called again while another sender on this network has its answer. */
  nameplate: string | (() => string);
  /** TCP port of the sender's own rendezvous. */
  port: number;
  /** Only these interfaces, by name or address; for tests and for the careful. */
  interfaces?: readonly string[];
  log?: { debug(fields: object, message: string): void };
}

export interface Announcing {
  readonly nameplate: string;
  /** Host label and port, as finders see them. */
  readonly instance: string;
  /** Says goodbye and resolves when that has left. */
  close(): Promise<void>;
}

/** Resolves once announced on every link that works. Rejects only if `nameplate` throws: a sender can be reached in other ways. */
export async function announce(options: AnnounceOptions): Promise<Announcing> {
  const { nameplate, port, interfaces: only, log } = options;
  const label = `b-${randomBytes(6).toString('hex')}`;
  const unicast = new TokenBucket(UNICAST_PER_SECOND);
  const multicast = new WeakMap<LanLink, TokenBucket>();
  const links = new LanLinks('answer', { opened, packet: hear }, only);
  /** Undefined while the name is not ours yet. */
  let service: LanService | undefined;
  /** The name that is probed for. */
  let claimed: LanService | undefined;
  let lost = false;

  const tell = async (link: LanLink, purpose: 'announce' | 'goodbye') => {
    if (service) await link.respond(records(service, addressesFor(link.iface, only), purpose));
  };

  function opened(link: LanLink): void {
    multicast.set(link, new TokenBucket(MULTICAST_PER_SECOND));
    if (service) announceOn(link);
    else if (claimed) void link.query(probe(claimed));
  }

  function announceOn(link: LanLink): void {
    void tell(link, 'announce');
    setTimeout(() => links.all.includes(link) && void tell(link, 'announce'), AGAIN).unref();
  }

  function hear(packet: FullPacket, source: RemoteInfo, link: LanLink): void {
    if (service) answer(service, packet, source, link);
    else if (claimed) contest(claimed, packet, source, link);
  }

  /** Somebody else has the name, or probes for it too: of two that do, the greater label wins (RFC 6762, 8.2). */
  function contest(wanted: LanService, packet: FullPacket, source: RemoteInfo, link: LanLink): void {
    const own = `${label}:${port}`;
    const held = announcements(packet, link.iface, source.address).some(
      ({ nameplate, instance, gone }) => nameplate === wanted.nameplate && instance !== own && !gone,
    );
    const rivals = probers(packet, wanted.nameplate).filter((other) => other !== label);
    if (held || rivals.some((other) => other > label)) lost = true;
    // The loser may have come too late to hear the last probe.
    else if (rivals.length > 0 && multicast.get(link)?.take()) void link.query(probe(wanted));
  }

  function answer(ours: LanService, packet: FullPacket, source: RemoteInfo, link: LanLink): void {
    if (packet.type !== 'query') return;
    const asked = packet.questions.filter((question) => asksFor(question, ours));
    if (asked.length === 0) return;
    const legacy = source.port !== MDNS_PORT;
    if ((legacy || asked.some(wantsUnicast)) && unicast.take()) {
      const reply = records(ours, addressesFor(link.iface, only), legacy ? 'legacy' : 'announce');
      // RFC 6762, 6.7: a legacy answer repeats the query's id and question.
      const echo = legacy ? { id: packet.id, questions: asked } : {};
      void link.respond({ ...reply, ...echo }, { address: source.address, port: source.port });
    }
    // To the group as well: a firewall that lets mDNS pass may still stop a unicast answer.
    if (multicast.get(link)?.take()) void tell(link, 'announce');
  }

  /** Probes for one name after the other, until nobody says that it is taken. */
  async function claim(choose: () => string): Promise<LanService> {
    for (let left = MOST_CLAIMS; ; left--) {
      const wanted = { nameplate: choose(), port, label };
      claimed = wanted;
      lost = false;
      for (let heard = 0, late = 0; heard < PROBES && !lost; ) {
        const began = performance.now();
        for (const link of links.all) void link.query(probe(wanted));
        await sleep(PROBE_PAUSE);
        // A timer that is late comes before what the sockets have to say.
        await turn();
        // A process that stood still heard nobody in that pause, and others that did have not answered either.
        if (performance.now() - began > 2 * PROBE_PAUSE && late < MOST_LATE) late++;
        else heard++;
      }
      if (!lost || left === 0) return wanted;
    }
  }

  let ours: LanService;
  try {
    if (typeof nameplate === 'string') {
      ours = { nameplate, port, label };
      service = ours;
      await links.refresh();
    } else {
      await links.refresh();
      ours = await claim(nameplate);
      service = ours;
      for (const link of links.all) announceOn(link);
    }
  } catch (error) {
    links.close();
    throw error;
  }
  log?.debug({ links: links.all.map(({ iface }) => `${iface.name}/${iface.family}`) }, 'announced by mDNS');
  const timer = setInterval(() => void links.refresh(), REFRESH);
  timer.unref();

  return {
    nameplate: ours.nameplate,
    instance: `${label}:${port}`,
    async close() {
      clearInterval(timer);
      await Promise.all(links.all.map((link) => tell(link, 'goodbye')));
      links.close();
    },
  };
}
