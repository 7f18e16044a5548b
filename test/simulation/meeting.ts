/** Where two sessions meet: the seats of one nameplate at a server that is late, goes away and comes back. */
import { BeelineError } from '../../src/base/errors.ts';
import type { Mailbox } from '../../src/meeting/ports.ts';
import type { MeetingEvents } from '../../src/session/ports.ts';
import { NO_SERVICES } from '../../src/wire/rendezvous.ts';
import type { Owner } from './pipes.ts';
import type { World } from './world.ts';

type Role = 'sender' | 'receiver';

interface Seat {
  owner: Owner;
  on: MeetingEvents;
}

/** Seconds that a receiver looks for its sender. */
const PATIENCE = 60;
/** Seconds until a server notices that somebody's connection is dead. */
const NOTICE = 20;

export class Meeting {
  readonly #world: World;
  readonly #latency: number;
  readonly #seats = new Map<Role, Seat>();
  #away = false;

  constructor(world: World, latency: number) {
    this.#world = world;
    this.#latency = latency;
  }

  async join(role: Role, owner: Owner, on: MeetingEvents, signal?: AbortSignal): Promise<Mailbox> {
    await this.#world.sleep(2 * this.#latency);
    const end = this.#world.now + PATIENCE;
    while (this.#away || this.#seats.has(role) || (role === 'receiver' && !this.#seats.has('sender'))) {
      await this.#world.sleep(1);
      if (role === 'receiver' && this.#world.now > end)
        throw new BeelineError('NO_PEER', 'Nobody is at that nameplate.');
      if (signal?.aborted || owner.killed) throw new BeelineError('INTERRUPTED', 'Stopped while meeting.');
    }
    const seat = { owner, on };
    this.#seats.set(role, seat);
    const other = role === 'sender' ? 'receiver' : 'sender';
    const met = this.#seats.has(other);
    this.#tell(role, seat, () => on.onPeer(met, 0));
    this.#present(other, true);
    return {
      nameplate: '7',
      token: '',
      services: NO_SERVICES,
      send: (body) => {
        const to = this.#seats.get(other);
        if (this.#away || owner.killed || this.#seats.get(role) !== seat || !to) return;
        this.#tell(other, to, () => to.on.onMessage(body, 0));
      },
      guests: 1,
      keep: () => {},
      drop: () => {
        const guest = this.#seats.get('receiver');
        if (!guest || role !== 'sender') return;
        this.#leave('receiver', guest);
        this.#world.after(this.#latency, () => {
          if (!guest.owner.killed) guest.on.onLost(new BeelineError('SERVER', 'Put out.'));
        });
      },
      reconnect: () => {},
      close: () => this.#leave(role, seat),
    };
  }

  /** A process is no more, which is noticed soon or late. */
  abandoned(owner: Owner, heard: boolean): void {
    for (const [role, seat] of this.#seats)
      if (seat.owner === owner) this.#world.after(heard ? 0 : NOTICE, () => this.#leave(role, seat));
  }

  away(seconds: number): void {
    if (this.#away) return;
    this.#away = true;
    const error = new BeelineError('SERVER', 'The server is away.');
    const all = (say: (seat: Seat, other: boolean) => void) => {
      for (const [role, seat] of this.#seats)
        if (!seat.owner.killed) say(seat, this.#seats.has(role === 'sender' ? 'receiver' : 'sender'));
    };
    all(({ on }) => on.onServer?.(error));
    this.#world.after(seconds, () => {
      this.#away = false;
      all(({ on }, other) => {
        on.onServer?.();
        on.onPeer(other, 0);
      });
    });
  }

  #leave(role: Role, seat: Seat): void {
    if (this.#seats.get(role) !== seat) return;
    this.#seats.delete(role);
    this.#present(role === 'sender' ? 'receiver' : 'sender', false);
  }

  #present(to: Role, present: boolean): void {
    const seat = this.#seats.get(to);
    if (seat) this.#tell(to, seat, () => seat.on.onPeer(present, 0));
  }

  /** In order, and to nobody who has left meanwhile. */
  #tell(role: Role, seat: Seat, say: () => void): void {
    this.#world.after(this.#latency, () => {
      if (this.#seats.get(role) === seat && !this.#away && !seat.owner.killed) say();
    });
  }
}
