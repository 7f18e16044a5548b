/** The way to the other side's mailbox: a standing server, an address given by hand, or the local network. */
import { find } from '../lan/mdns.ts';
import type { Address } from '../protocol/candidate.ts';
import { BeelineError } from '../protocol/errors.ts';
import { FIND_DEADLINE, RECEIVER_WAIT } from '../protocol/limits.ts';
import { type Mailbox, type MailboxOptions, openMailbox } from '../rendezvous/mailbox.ts';
import { parseHostPort } from './addresses.ts';
import type { CommonOptions } from './api.ts';

type Callbacks = Pick<MailboxOptions, 'onMessage' | 'onPeer' | 'onLost'>;

export interface Met {
  readonly mailbox: Mailbox;
  /** Where the sender's own rendezvous was found last: its lanes are on the same port. */
  readonly addresses: Address[];
}

/**
 * Joins the sender under a nameplate, as its guest.
 * @throws BeelineError NO_PEER, CROWDED, SERVER, TIMEOUT, INTERRUPTED, USAGE.
 */
export async function meetAsGuest(
  nameplate: string,
  options: CommonOptions,
  signal: AbortSignal,
  on: Callbacks,
): Promise<Met> {
  const keepFor = 1000 * (options.wait ?? RECEIVER_WAIT);
  const common = { role: 'guest' as const, nameplate, signal, deadline: FIND_DEADLINE, keepFor, ...on };
  if (options.server !== undefined)
    return { mailbox: await openMailbox({ ...common, url: options.server }), addresses: [] };
  const find = finder(nameplate, options);
  let addresses: Address[] = [];
  const mailbox = await openMailbox({
    ...common,
    find: async (during) => {
      addresses = await find(during).catch((error: unknown) => {
        // Which one was meant is known by now: somebody else's announcement must not end a session that looks for it again.
        const known = addresses.length > 0 && error instanceof BeelineError && error.code === 'CROWDED';
        if (known) return addresses;
        throw error;
      });
      return addresses;
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
  throw new BeelineError(
    'USAGE',
    'Without the local network, say where the sender is: --at HOST:PORT or --server URL.',
  );
}

/** Milliseconds after the first answer in which the others of the same sender come in. */
const SETTLE = 25;

async function findOnLan(nameplate: string, signal: AbortSignal): Promise<Address[]> {
  const found: Address[] = [];
  const senders = new Set<string>();
  const enough = new AbortController();
  await find({
    nameplate,
    timeout: FIND_DEADLINE,
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
    const text = `${senders.size} senders on this network announce ${nameplate}: say which one is meant with --at HOST:PORT.`;
    throw new BeelineError('CROWDED', text);
  }
  signal.throwIfAborted();
  if (found.length > 0) return found;
  throw new BeelineError(
    'NO_PEER',
    `Nobody on this network sends under that code. If the sender is elsewhere, use --at HOST:PORT or --server URL.`,
  );
}
