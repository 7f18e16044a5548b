/** TCP through NATs on both sides: both dial at once, from ports that a server has seen (RFC 5128, 3.4). */

import { DEFAULT_LANES } from '../../base/limits.ts';
import type { Address } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import { ADDRESSES, type Transport, understood, written } from '../transport.ts';
import { openPunchPorts, type PunchPorts } from './ports.ts';
import { PunchListener, punchPath } from './punch.ts';

/** Milliseconds after which a path that is tried again asks the other side to do so too. */
const INVITE_MS = 5_000;

export const punched: NodeTransport = {
  kind: 'punched',
  traits: { relayed: false, sort: 'stream', ownAddress: ['sender', 'receiver'], hides: false },
  make: (around) => new Punched(around),
};

class Punched implements Transport {
  readonly #around: Surroundings;
  readonly #end = new AbortController();
  #ports: PunchPorts | undefined;
  #listener: PunchListener | undefined;
  #theirs: readonly Address[] = [];
  /** Counts openings. If a later one has begun, the ports of an earlier one are given up. */
  #asked = 0;
  /** `performance.now()` when the other side was told to try. */
  #invited = -Infinity;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** The outside addresses of local ports from which it dials. The n-th of one side belongs to the n-th of the other. */
  describe(): string[] | undefined {
    return this.#ports && written(this.#ports.candidates);
  }

  seen(): string[] {
    return (this.#ports?.mapped ?? []).flatMap((address) => (address ? [address.host] : []));
  }

  hear(theirs: unknown): void {
    this.#theirs = understood(ADDRESSES, theirs);
    // It tries from now on.
    this.#invited = performance.now();
    this.#attempt();
  }

  /** As far as both sides have told their ports. The receiver dials; the sender's listener tries at the same time. */
  paths(): Path[] {
    const { role, context, pin } = this.#around;
    if (role === 'sender' || !this.#ports || this.#theirs.length === 0) return [];
    return punchPath(this.#ports, this.#theirs, context, pin).map((path) => ({
      ...path,
      open: (signal) => {
        this.#invite();
        return path.open(signal);
      },
    }));
  }

  async ask(servers: readonly Address[]): Promise<void> {
    const { role, context, onPipe, onChange, log } = this.#around;
    const { signal } = this.#end;
    const asked = ++this.#asked;
    const ports = await openPunchPorts([...servers], { count: DEFAULT_LANES, signal, onChange });
    if (signal.aborted || asked !== this.#asked) return ports.close();
    this.#listener?.close();
    this.#ports?.close();
    this.#ports = ports;
    if (ports.dependent) log?.debug({}, 'this NAT gives every TCP destination another port');
    if (role === 'sender') this.#listener = new PunchListener({ ports, context, onPipe });
    this.#attempt();
    onChange();
  }

  close(): void {
    this.#end.abort();
    this.#listener?.close();
    this.#ports?.close();
  }

  /** Both sides must try at once: as soon as each knows of the other. */
  #attempt(): void {
    if (this.#theirs.length > 0) this.#listener?.attempt({ peer: this.#theirs });
  }

  /** The other side tries for a while after each hello: a later try of ours needs another one. */
  #invite(): void {
    if (performance.now() - this.#invited < INVITE_MS) return;
    this.#invited = performance.now();
    this.#around.onChange();
  }
}
