/** The relay of the server where the two meet. Pure: the runtime gives how to reach it and how to secure what goes through. */
import type { Path } from '../path.ts';
import type { Meeting, PeerFacts, Role, Traits, Transport } from '../transport.ts';
import type { RelayListener, RelayPath } from './links.ts';

export const RELAY = {
  kind: 'relay',
  traits: { relayed: true, ownAddress: [], hides: true } satisfies Traits,
} as const;

/** @param peer by its latest hello; undefined before the first */
interface RelayRuntime {
  path(meeting: Meeting, peer: () => PeerFacts | undefined): RelayPath;
  listener(meeting: Meeting, peer: () => PeerFacts | undefined): RelayListener;
}

export class RelayTransport implements Transport {
  readonly #role: Role;
  readonly #runtime: RelayRuntime;
  /** The receiver's. */
  #path: RelayPath | undefined;
  /** The sender's. */
  #listener: RelayListener | undefined;
  #peer: PeerFacts | undefined;

  constructor(role: Role, runtime: RelayRuntime) {
    this.#role = role;
    this.#runtime = runtime;
  }

  /** Where it is, the server tells both. */
  describe(): undefined {}

  hear(_theirs: unknown, peer: PeerFacts): void {
    this.#peer = peer;
  }

  paths(): Path[] {
    return this.#path ? [this.#path] : [];
  }

  meet(meeting: Meeting): void {
    if (!meeting.services.relay) return;
    const peer = () => this.#peer;
    if (this.#role === 'sender') {
      this.#listener?.close();
      this.#listener = this.#runtime.listener(meeting, peer);
      return;
    }
    this.#path?.close();
    this.#path = this.#runtime.path(meeting, peer);
    this.#path.prepare();
  }

  /** With a new token. */
  welcome(): void {
    this.#listener?.refresh();
  }

  /** Connections that may have died with the network are opened anew. Live lanes stay. */
  again(): void {
    this.#listener?.refresh();
  }

  close(): void {
    this.#listener?.close();
    this.#path?.close();
  }
}
