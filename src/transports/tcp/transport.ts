/** TCP to where the peer listens, and from there to here. */

import * as v from 'valibot';
import { atMost, onAbort, realClock } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { list } from '../../base/json.ts';
import { MAX_LANES, MAX_THREADS } from '../../base/limits.ts';
import { usable } from '../../nat/ice/address.ts';
import type { Pipe } from '../../secure/pipe.ts';
import type { TlsEnds } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { Opened, Path } from '../path.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import { ADDRESSES, type PeerFacts, type Transport, understood, written } from '../transport.ts';
import { dial } from './dial.ts';

export const tcp: NodeTransport = {
  kind: 'tcp',
  traits: {
    relayed: false,
    sort: 'stream',
    senderDials: true,
    ownAddress: ['sender', 'receiver'],
    hides: false,
  },
  make: (around) => new Tcp(around),
};

/** By so much the peer's threads go before its main port, which may be the only one that is let through. */
const THREADS_FIRST_MS = 150;
/** So often the main port may answer sooner all the same before they are not tried any more at an address. */
const MAX_SLOW = 2;

const PORT = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const DESCRIPTION = v.optional(
  v.object({
    /** Where the main port is, as this machine's addresses go. */
    at: ADDRESSES,
    /** Where a router forwards it from. */
    mapped: ADDRESSES,
    /** Ports of its threads, at the same addresses as the main one. */
    threads: v.optional(list(PORT, MAX_THREADS), []),
  }),
  {},
);

class Tcp implements Transport {
  readonly #around: Surroundings;
  #forwarded: Address | undefined;
  #near: readonly Address[] = [];
  #mapped: readonly Address[] = [];
  #threads: readonly number[] = [];
  /** By host: how many lanes its threads were dialled for, and how often they did not answer, or not soon. */
  readonly #tried = new Map<string, { turn: number; slow: number }>();
  /** Dials to threads in whose place the main port opened. They show whether the thread answers at all. */
  readonly #late = new Set<AbortController>();

  constructor(around: Surroundings) {
    this.#around = around;
    around.threads?.onPorts(() => around.onChange());
  }

  describe(): v.InferInput<typeof DESCRIPTION> {
    const port = this.#around.tcpPort();
    if (port === 0) return undefined;
    const at = written(this.#around.hosts().map((host) => ({ host, port })));
    const { ports = [] } = this.#around.threads ?? {};
    return {
      at,
      ...(this.#forwarded && { mapped: written([this.#forwarded]) }),
      ...(ports.length > 0 && { threads: [...ports] }),
    };
  }

  hear(theirs: unknown, { met }: PeerFacts): void {
    const { at, mapped, threads } = understood(DESCRIPTION, theirs);
    this.#near = [...met, ...usables(at)];
    this.#mapped = usables(mapped);
    this.#threads = threads ?? [];
  }

  paths(): Path[] {
    const near = this.#near.map((to) =>
      path(
        to,
        this.#around,
        'tcp',
        (signal) => this.#dialNear(to, signal),
        (lane) => this.#here(lane) || (lane.remote === formatAddress(to) && this.#answers(to)),
      ),
    );
    const mapped = this.#mapped.map((to) =>
      path(
        to,
        this.#around,
        'tcp',
        (signal) => this.#dial(to, signal),
        (lane) => this.#here(lane),
      ),
    );
    return [...near, ...mapped];
  }

  port() {
    const port = this.#around.tcpPort();
    return port > 0 ? ({ protocol: 'tcp', port } as const) : undefined;
  }

  forwarded(address: Address | undefined): void {
    this.#forwarded = address;
  }

  close(): void {
    for (const control of this.#late) control.abort();
  }

  async #dialNear(to: Address, signal: AbortSignal): Promise<Pipe> {
    const { ahead, pin } = this.#around;
    try {
      const opened = await ahead?.()?.take(to, pin(), signal);
      if (opened) return opened;
    } catch {
      // It is dialled now.
    }
    signal.throwIfAborted();
    return this.#answers(to) ? this.#dialThread(to, signal) : this.#dial(to, signal);
  }

  /** It is in this thread, though there are others that dial. */
  #here({ threaded }: Opened): boolean {
    return !threaded && this.#around.threads?.dial !== undefined;
  }

  /** The peer has threads, which as far as is known answer at this host. */
  #answers({ host }: Address): boolean {
    return this.#threads.length > 0 && (this.#tried.get(host)?.slow ?? 0) < MAX_SLOW;
  }

  #dial(to: Address, signal: AbortSignal): Promise<Pipe> {
    const { threads, context, pin } = this.#around;
    return threads?.dial?.(to, pin(), signal) ?? dial(to, context, pin(), signal);
  }

  /** One of the peer's threads in turn; if it does not answer soon, its main port too. The first lane that opens is the one. */
  async #dialThread(to: Address, signal: AbortSignal): Promise<Pipe> {
    const tried = this.#tried.get(to.host) ?? { turn: 0, slow: 0 };
    this.#tried.set(to.host, tried);
    const port = this.#threads[tried.turn++ % this.#threads.length]!;
    const [first, second] = [new AbortController(), new AbortController()];
    const forget = onAbort(signal, () => {
      first.abort();
      second.abort();
    });
    try {
      const thread = this.#dial({ host: to.host, port }, first.signal);
      thread.catch(() => {
        if (!first.signal.aborted) tried.slow = MAX_SLOW;
      });
      const soon = await atMost(realClock, THREADS_FIRST_MS, thread);
      if (soon) return soon;
      if (!this.#around.mayDial()) return await thread;
      const main = this.#dial(to, second.signal);
      const { pipe, late } = await Promise.any([
        thread.then((opened) => ({ pipe: opened, late: main })),
        main.then((opened) => ({ pipe: opened, late: thread })),
      ]).catch(() => main.then((opened) => ({ pipe: opened, late: thread })));
      if (late === main) second.abort();
      else tried.slow = Math.min(MAX_SLOW, tried.slow + 1);
      // A thread that has only just begun answers yet: the next lanes are its.
      this.#late.add(first);
      late
        .then((opened) => {
          if (late === thread) tried.slow = 0;
          opened.destroy();
        })
        .catch(() => {})
        .finally(() => this.#late.delete(first));
      return pipe;
    } finally {
      forget();
    }
  }
}

/** Those that can be dialled. Not names (they would ask a name server), nor multicast groups. */
function usables(addresses: readonly Address[] = []): Address[] {
  return addresses.flatMap((each) => usable(each) ?? []);
}

/** The addresses in the description of a peer's transport that can be dialled. @throws BeelineError PROTOCOL */
export function reachable(theirs: unknown): Address[] {
  return usables(understood(ADDRESSES, theirs));
}

/** An address of the peer's choosing, as a path. @param as what carries it */
export function dialled(to: Address, around: Surroundings, as: Pick<TlsEnds, 'kind' | 'relayed'>): Path {
  return path(to, around, as.kind, (signal) => dial(to, around.context, around.pin(), signal, as));
}

function path(
  to: Address,
  around: Surroundings,
  kind: string,
  open: (signal: AbortSignal) => Promise<Pipe>,
  outdated?: Path['outdated'],
): Path {
  return {
    kind,
    name: formatAddress(to),
    most: MAX_LANES,
    ...(outdated && { outdated }),
    get ready() {
      return kind === 'tcp' && around.ahead?.()?.opened(to) === true;
    },
    open: async (signal) => {
      if (!around.mayDial()) throw fault('ADDRESSES_PACED');
      return open(signal);
    },
  };
}
