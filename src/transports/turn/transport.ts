/**
 * TURN (RFC 6062: TCP through a relay). The sender has an allocation at the server, made anew when it is lost, with the
 * peer's addresses let in. The receiver dials the relayed address.
 */

import { Alarm, realClock } from '../../base/clock.ts';
import { asBeelineError } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import { dialled, reachable } from '../tcp/transport.ts';
import type { Meeting, PeerFacts, Transport } from '../transport.ts';
import { type Allocation, allocate } from './allocation.ts';

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 60_000;

export const turn: NodeTransport = {
  kind: 'turn',
  // The sender's lanes name the server's address.
  traits: { relayed: true, ownAddress: ['receiver'], hides: true },
  make: (around) => new Turn(around),
};

class Turn implements Transport {
  readonly #around: Surroundings;
  readonly #end = new AbortController();
  #meeting: Meeting | undefined;
  #allocation: Allocation | undefined;
  #hosts: string[] = [];
  #theirs: readonly Address[] = [];
  #pause = FIRST_PAUSE_MS;
  readonly #retry = new Alarm(realClock);

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** The server's TCP port that leads here: dial. */
  describe(): string[] | undefined {
    return this.#allocation && [formatAddress(this.#allocation.relayed)];
  }

  hear(theirs: unknown, { hosts }: PeerFacts): void {
    this.#theirs = reachable(theirs);
    // Whom the server is to let in: every address that the peer may come from.
    this.#hosts = [...new Set(hosts)];
    void this.#permit();
  }

  paths(): Path[] {
    const { role, relay } = this.#around;
    // A peer may give its own address as a TURN server's. With `--relay only` this side must not show itself there.
    if (role === 'sender' || relay === 'only') return [];
    return this.#theirs.map((to) => dialled(to, this.#around, { kind: 'turn', relayed: true }));
  }

  meet(meeting: Meeting): void {
    this.#meeting = meeting;
    if (this.#around.role === 'sender' && meeting.services.turn) void this.#allocate();
  }

  /** A server that does not answer any more is noticed by asking it something. */
  again(): void {
    if (this.#allocation) return this.#allocation.check();
    this.#pause = FIRST_PAUSE_MS;
    // Waiting for its next try: that may work now.
    if (this.#retry.waits) void this.#allocate();
  }

  close(): void {
    this.#end.abort();
    this.#retry.clear();
    void this.#allocation?.close();
    this.#allocation = undefined;
  }

  async #allocate(): Promise<void> {
    this.#retry.clear();
    const { context, onPipe, onChange, log } = this.#around;
    const { signal } = this.#end;
    // Read anew each time: credentials live for a day, and each welcome from the server brings new ones.
    const server = this.#meeting?.services.turn;
    if (!server || signal.aborted) return;
    try {
      const allocation = await allocate({
        ...{ server, context, onPipe, signal, ...(log && { log }) },
        rendezvous: new URL(this.#meeting!.url).hostname,
        onLost: (error) => {
          log?.info({ reason: error.message }, 'TURN allocation lost');
          this.#allocation = undefined;
          this.#later();
        },
      });
      if (signal.aborted) return void allocation.close();
      this.#allocation = allocation;
      this.#pause = FIRST_PAUSE_MS;
      await this.#permit();
      onChange();
    } catch (thrown) {
      log?.info({ reason: asBeelineError(thrown).message }, 'no TURN allocation');
      this.#later();
    }
  }

  async #permit(): Promise<void> {
    if (this.#hosts.length === 0) return;
    await this.#allocation?.permit(this.#hosts);
  }

  #later(): void {
    if (this.#end.signal.aborted) return;
    this.#retry.set(this.#pause, () => void this.#allocate());
    this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2);
  }
}
