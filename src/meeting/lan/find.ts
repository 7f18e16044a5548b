/** Looking for senders on the local network. */
import type { FullPacket, QueryOutgoingPacket } from 'multicast-dns';
import { realClock, sleep, withDeadline } from '../../base/clock.ts';
import { type LanLink, LanLinks } from './links.ts';
import { type Announcement, announcedNameplates, announcements, instanceName, SERVICE } from './records.ts';

/** Between queries; the last repeats. */
const PAUSES_MS = [100, 300, 1000, 2000];
/** The same for who looks for days. New senders are heard without a question, and RFC 6762, 5.2, wants few of those. */
const STANDING_PAUSES_MS = [1000, 3000, 9000, 27_000, 60_000];
/** How often who looks for days looks for new interfaces. */
const REFRESH_MS = 5000;
/** A stranger can announce as much as it likes; nobody needs more of it than this. */
const MOST_INSTANCES = 8;
const MOST_ADDRESSES = 64;
const MOST_NAMEPLATES = 4096;

interface FoundAddress {
  host: string;
  port: number;
  /** Host label and port: another one under the same nameplate is another sender. */
  instance: string;
}

interface LookOptions {
  /** How long to look, in milliseconds. */
  timeout: number;
  /** Ends the search early. */
  signal?: AbortSignal;
  /** Only these interfaces, by name or address. */
  interfaces?: readonly string[];
  /** Milliseconds between queries, the last of which repeats. */
  pauses?: readonly number[];
}

interface FindOptions extends LookOptions {
  nameplate: string;
  /**
   * Called once per address. Two different `instance`s mean that two senders announce this nameplate: the caller
   * should say so and ask for `--at`.
   */
  onFound(address: FoundAddress): void;
}

/** Looks until the timeout or the signal; resolves with the addresses of each sender that is still there. */
export async function find(options: FindOptions): Promise<Map<string, FoundAddress[]>> {
  const { nameplate, onFound, signal } = options;
  const instances = new Map<string, FoundAddress[]>();
  const note = ({ instance, port, addresses, gone }: Announcement) => {
    if (gone) return void instances.delete(instance);
    if (addresses.length === 0) return;
    let known = instances.get(instance);
    if (!known) {
      if (instances.size >= MOST_INSTANCES) return;
      known = [];
      instances.set(instance, known);
    }
    for (const host of addresses) {
      if (known.length >= MOST_ADDRESSES || known.some((old) => old.host === host)) continue;
      const address = { host, port, instance };
      known.push(address);
      if (!signal?.aborted) onFound(address);
    }
  };
  await look(
    { questions: [{ type: 'SRV', name: instanceName(nameplate) }] },
    options,
    (packet, link, source) => {
      for (const found of announcements(packet, link.iface, source))
        if (found.nameplate === nameplate) note(found);
    },
  );
  return instances;
}

/** Nameplates that senders on this network announce now; everyone there answers within a few milliseconds. */
export async function taken(
  timeout: number,
  options: Omit<LookOptions, 'timeout'> = {},
): Promise<Set<string>> {
  const nameplates = new Set<string>();
  const question = { questions: [{ type: 'PTR' as const, name: SERVICE }] };
  await look(question, { ...options, timeout }, (packet) => {
    for (const nameplate of announcedNameplates(packet))
      if (nameplates.size < MOST_NAMEPLATES) nameplates.add(nameplate);
  });
  return nameplates;
}

/**
 * Hears, until the signal, which senders announce themselves and which say goodbye, and asks for all of them now and then. One
 * question for all: it tells nobody whom this side waits for. A sender that is heard again is told of again.
 */
export function browse(
  signal: AbortSignal,
  seen: (announcement: Announcement) => void,
  interfaces?: readonly string[],
): Promise<void> {
  const query = { questions: [{ type: 'PTR' as const, name: SERVICE }] };
  const options = { timeout: Infinity, signal, interfaces, pauses: STANDING_PAUSES_MS };
  return look(query, options, (packet, link, source) => {
    for (const announcement of announcements(packet, link.iface, source)) seen(announcement);
  });
}

/**
 * Asks again and again, and hears what is announced without being asked. Two sockets a link: answers come at once to
 * the port that asked, announcements of new senders to 5353 (where that may be shared).
 */
async function look(
  query: QueryOutgoingPacket,
  { timeout, signal, interfaces, pauses = PAUSES_MS }: LookOptions,
  hear: (packet: FullPacket, link: LanLink, source: string) => void,
): Promise<void> {
  const packet = (packet: FullPacket, source: { address: string }, link: LanLink) => {
    if (packet.type === 'response') hear(packet, link, source.address);
  };
  // multicast-dns completes the object it is given, so every query gets its own.
  const ask = (link: LanLink) => void link.query({ ...query });
  const asking = new LanLinks('ask', { packet, opened: ask }, interfaces);
  const hearing = new LanLinks('answer', { packet }, interfaces);
  const rounds = async (end: AbortSignal) => {
    for (let round = 0; ; round++) {
      // `opened` asks first, on each link as soon as it can.
      void asking.refresh();
      void hearing.refresh();
      let left = pauses[Math.min(round, pauses.length - 1)]!;
      for (; left > REFRESH_MS; left -= REFRESH_MS) {
        await sleep(realClock, REFRESH_MS, end);
        void asking.refresh();
        void hearing.refresh();
      }
      await sleep(realClock, left, end);
      for (const link of asking.all) ask(link);
    }
  };
  const over = new Error('The search is over.');
  try {
    await withDeadline(
      realClock,
      signal,
      timeout,
      () => over,
      rounds,
      () => over,
    );
  } catch (error) {
    if (error !== over) throw error;
  } finally {
    asking.close();
    hearing.close();
  }
}
