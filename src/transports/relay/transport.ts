/** The relay of the server where the two meet. Pure: the runtime gives how to reach it and how to secure what goes through. */
import type { RelaySeat } from '../../wire/relay.ts';
import type { Path } from '../path.ts';
import type { Meeting, PeerFacts, Role, Traits, Transport } from '../transport.ts';
import type { RelayListener, RelayPath } from './links.ts';

export const RELAY = {
  kind: 'relay',
  traits: { relayed: true, ownAddress: [], hides: true } satisfies Traits,
} as const;

/** What this side shows at the relay now; undefined while it has nothing to show. */
type Seat = () => RelaySeat | undefined;
/** By its latest hello; undefined before the first. */
type Peer = () => PeerFacts | undefined;

interface RelayRuntime {
  path(url: string, seat: Seat, peer: Peer): RelayPath;
  listener(url: string, seat: Seat, peer: Peer): RelayListener;
}

export class RelayTransport implements Transport {
  readonly #role: Role;
  readonly #runtime: RelayRuntime;
  /** The receiver's. */
  #path: RelayPath | undefined;
  /** The sender's. */
  #listener: RelayListener | undefined;
  #peer: PeerFacts | undefined;
  #meeting: Meeting | undefined;
  /** The peer's number at the mailbox, when it said hello last. */
  #guest: number | undefined;

  constructor(role: Role, runtime: RelayRuntime) {
    this.#role = role;
    this.#runtime = runtime;
  }

  /** Where it is, the server tells both. */
  describe(): undefined {}

  hear(_theirs: unknown, peer: PeerFacts): void {
    this.#peer = peer;
    const guest = this.#meeting?.guest;
    if (guest === this.#guest) return;
    // What waits is for whom it was before.
    this.#guest = guest;
    this.#listener?.refresh();
  }

  paths(): Path[] {
    return this.#path ? [this.#path] : [];
  }

  meet(meeting: Meeting): void {
    if (!meeting.services.relay) return;
    const peer = () => this.#peer;
    this.#meeting = meeting;
    this.#guest = meeting.guest;
    if (this.#role === 'sender') {
      this.#listener?.close();
      this.#listener = this.#runtime.listener(meeting.url, () => this.#asHost(meeting), peer);
      return;
    }
    this.#path?.close();
    this.#path = this.#runtime.path(meeting.url, () => this.#asGuest(meeting), peer);
    this.#path.prepare();
  }

  /** A sender waits for a receiver that has proven itself, and for nobody else. */
  #asHost({ token, guest }: Meeting): RelaySeat | undefined {
    return token === undefined || guest === undefined ? undefined : { token, guest };
  }

  #asGuest({ token }: Meeting): RelaySeat | undefined {
    return token === undefined ? undefined : { token };
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
