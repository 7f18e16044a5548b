/** Meeting ourselves at a server: both places of a mailbox, to see what the server offers and how far away it is. */
import { lookup } from 'node:dns/promises';
import type { BeelineError } from '../../base/errors.ts';
import { type Mailbox, openMailbox } from '../../meeting/mailbox.ts';
import { proxyFor } from '../../websocket/proxy.ts';
import { rendezvousUrl } from '../../websocket/url.ts';
import { type Facts, since } from './diagnosis.ts';

/** Milliseconds; the check around it ends earlier. */
const OPENING = 8_000;
/** Messages sent one after the other: the fastest is the round trip, others waited in a queue. */
const ROUNDS = 3;
/** Addresses of one name that are asked. */
const MOST_HOSTS = 4;

export interface DoctorPlace {
  mailbox: Mailbox;
  /** Resolves when the other side is there: a host's guest to its number. */
  met: Promise<number>;
  /** Resolves with the next message that comes. */
  next(): Promise<string>;
}

/** @param nameplate the host's, for a guest @throws BeelineError as `openMailbox` */
export async function takePlace(
  url: string,
  nameplate: string | undefined,
  signal: AbortSignal,
): Promise<DoctorPlace> {
  let arrived: (body: string) => void = () => {};
  let lost: (error: BeelineError) => void = () => {};
  let meet: (guest: number) => void = () => {};
  const met = new Promise<number>((resolve) => {
    meet = resolve;
  });
  const mailbox = await openMailbox({
    url,
    ...(nameplate === undefined ? { role: 'host' } : { role: 'guest', nameplate }),
    deadline: OPENING,
    signal,
    reconnect: false,
    onMessage: (body) => arrived(body),
    onPeer: (present, guest) => present && meet(guest),
    onLost: (error) => lost(error),
  });
  const next = () =>
    new Promise<string>((resolve, reject) => {
      arrived = resolve;
      lost = reject;
    });
  return { mailbox, met, next };
}

/** From a guest's place to the host's, through the server: one round trip of this machine. In milliseconds. @throws BeelineError */
export async function messageTime(from: DoctorPlace, to: DoctorPlace): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    const arrival = to.next();
    from.mailbox.send(`${round}`);
    await arrival;
    best = Math.min(best, since(began));
  }
  return best;
}

/** The server's IP addresses; none if its name cannot be looked up here. */
export async function hostsOf(url: string): Promise<string[]> {
  const name = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const found = await lookup(name, { all: true, verbatim: true }).catch(() => []);
  return found.slice(0, MOST_HOSTS).map(({ address }) => address);
}

/** Undefined if the environment names no proxy for this server. @throws BeelineError USAGE for one that is of no use. */
export async function proxyOf(url: string): Promise<Facts['proxy'] | undefined> {
  const proxy = await proxyFor(rendezvousUrl(url));
  return proxy && { proxy: `${proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host}:${proxy.port}` };
}
