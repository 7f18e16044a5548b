/** The way to the other side's mailbox: a standing server, an address given by hand, or the local network with the DHT beside it. */

import { BeelineError, fault } from '../base/errors.ts';
import { FIND_DEADLINE, FIND_WORD, RECEIVER_WAIT } from '../base/limits.ts';
import type { SharedSecret } from '../identity/secret.ts';
import { find } from '../meeting/lan/find.ts';
import { multicastInterfaces } from '../meeting/lan/interfaces.ts';
import { type Mailbox, type MailboxOptions, openMailbox } from '../meeting/mailbox.ts';
import type { Address } from '../wire/candidate.ts';
import { parseHostPort } from './addresses.ts';
import type { CommonOptions } from './api.ts';
import { DhtLooking, type DhtNodes, wantsDht } from './dht.ts';

type GuestEvents = Pick<MailboxOptions, 'onMessage' | 'onPeer' | 'onServer' | 'onLost'> & {
  /** Nobody is there yet, and why that may be: a sentence for the person, while the search goes on. */
  onNobody: (error: BeelineError) => void;
  /** Where the sender's own rendezvous is, as soon as that is known: of several addresses when one of them is connected. */
  onSender: (address: Address) => void;
  /** Somebody was met over the DHT. */
  onDht: (nodes: DhtNodes) => void;
};

export interface Met {
  readonly mailbox: Mailbox;
  /** Where the sender's own rendezvous was found last: its lanes are on the same port. */
  readonly addresses: Address[];
  /** Ends what it was met by; absent: nothing is left. */
  readonly close?: () => Promise<void>;
}

/**
 * Joins the sender under a nameplate, as its guest. Who starts first does not matter: the sender is looked for until
 * FIND_DEADLINE, or as long as `wait` says if that is longer.
 * @throws BeelineError NO_PEER, CROWDED, SERVER, TIMEOUT, INTERRUPTED, USAGE.
 */
export async function meetAsGuest(
  secret: SharedSecret,
  options: CommonOptions,
  signal: AbortSignal,
  on: GuestEvents,
): Promise<Met> {
  const keepFor = 1000 * (options.wait ?? RECEIVER_WAIT);
  const deadline = Math.max(FIND_DEADLINE, 1000 * (options.wait ?? 0));
  const { onNobody, onSender, onDht, ...callbacks } = on;
  const { nameplate } = secret;
  const common = {
    ...{ role: 'guest' as const, nameplate, signal, deadline, keepFor },
    waitForHost: true,
    ...callbacks,
  };
  const dht = wantsDht(options);
  const word = setTimeout(() => onNobody(stillLooking(options, dht)), FIND_WORD);
  try {
    if (options.server !== undefined)
      return { mailbox: await openMailbox({ ...common, url: options.server }), addresses: [] };
    const told = { onNobody, onSender, onDht };
    return dht
      ? await meetAnywhere(secret, options, common, told)
      : await meetAtSender(nameplate, options, common, told);
  } finally {
    clearTimeout(word);
  }
}

/** On the local network or over the DHT, whichever is sooner. */
async function meetAnywhere(
  secret: SharedSecret,
  options: CommonOptions,
  common: MailboxOptions,
  told: Told,
): Promise<Met> {
  const { openContest } = await import('../meeting/contest.ts');
  const { nameplate } = secret;
  const looking = new DhtLooking(secret, options, { onMet: told.onDht, warn: told.onNobody });
  let near: Met | undefined;
  const first = async (toTell: MailboxOptions) => {
    near = await meetAtSender(nameplate, options, toTell, told);
    return near.mailbox;
  };
  const close = () => looking.close();
  try {
    const mailbox = await openContest({
      ...common,
      first: options.lan === false ? undefined : first,
      look: (found, signal) => looking.look(found, signal),
      nobody: () => fault('NOBODY_ANYWHERE'),
    });
    return {
      ...{ mailbox, close },
      get addresses() {
        return near?.addresses ?? [];
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type Told = Pick<GuestEvents, 'onNobody' | 'onSender' | 'onDht'>;

/** At the rendezvous in the sender's own process. */
async function meetAtSender(
  nameplate: string,
  options: CommonOptions,
  common: MailboxOptions,
  { onNobody, onSender }: Pick<Told, 'onNobody' | 'onSender'>,
): Promise<Met> {
  const onLan = options.at === undefined;
  const find = finder(nameplate, options);
  if (onLan) checkInterfaces(onNobody);
  let addresses: Address[] = [];
  // No server of its own: that the sender is away is told otherwise.
  const { onServer: _, ...own } = common;
  const mailbox = await openMailbox({
    ...own,
    nobody: () => (onLan && addresses.length === 0 ? nobodyOnLan() : undefined),
    find: async (during) => {
      addresses = await find(during).catch((error: unknown) => {
        // Which one was meant is known by now: somebody else's announcement must not end a session that looks for it again.
        const known = addresses.length > 0 && error instanceof BeelineError && error.code === 'CROWDED';
        if (known) return addresses;
        throw error;
      });
      const [only, ...others] = addresses;
      if (only && others.length === 0) onSender(only);
      return addresses;
    },
    reached: (address) => {
      if (addresses.length > 1) onSender(address);
    },
  });
  return {
    mailbox,
    get addresses() {
      return addresses;
    },
  };
}

function finder(nameplate: string, options: CommonOptions): (signal: AbortSignal) => Promise<Address[]> {
  if (options.at !== undefined) {
    const address = parseHostPort(options.at);
    return async () => [address];
  }
  if (options.lan !== false) return (signal) => findOnLan(nameplate, signal);
  throw fault('NO_MEETING_PLACE');
}

function stillLooking({ server, at }: CommonOptions, dht: boolean): BeelineError {
  const where =
    server !== undefined
      ? 'at that server'
      : at !== undefined
        ? 'at that address'
        : `on this network${dht ? ' or in the DHT' : ''}`;
  return fault('NOBODY_YET', { where });
}

/** @throws BeelineError NO_PEER at once if nothing can be looked at. */
function checkInterfaces(onNobody: GuestEvents['onNobody']): void {
  const interfaces = multicastInterfaces();
  if (interfaces.length === 0) throw fault('NO_INTERFACE');
  if (interfaces.every(({ loopback }) => loopback)) onNobody(fault('ONLY_THIS_MACHINE'));
}

function nobodyOnLan(): BeelineError {
  const itself = multicastInterfaces().every(({ loopback }) => loopback);
  return fault('NOBODY_ON_LAN', { alone: itself ? `${fault('ONLY_THIS_MACHINE').message} ` : '' });
}

/** Milliseconds after the first answer in which the others of the same sender come in. */
const SETTLE = 25;
/** What a timer holds: the signal ends the search. */
const MAX_TIMER = 2 ** 31 - 1;

/** Looks until the signal. */
async function findOnLan(nameplate: string, signal: AbortSignal): Promise<Address[]> {
  const found: Address[] = [];
  const senders = new Set<string>();
  const enough = new AbortController();
  await find({
    nameplate,
    timeout: MAX_TIMER,
    signal: AbortSignal.any([signal, enough.signal]),
    onFound: ({ host, port, instance }) => {
      if (found.length === 0) setTimeout(() => enough.abort(), SETTLE);
      found.push({ host, port });
      senders.add(instance);
    },
  }).catch((thrown) => {
    if (found.length === 0) throw thrown;
  });
  if (senders.size > 1) {
    throw fault('SEVERAL_SENDERS', { count: senders.size, nameplate });
  }
  signal.throwIfAborted();
  if (found.length > 0) return found;
  throw nobodyOnLan();
}
