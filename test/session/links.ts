/** Receivers that are linked with each other, without sockets: what one says reaches the other, and dials are pipes in memory. */
import type { BeelineError } from '../../src/base/errors.ts';
import { MAX_ADDRESSES } from '../../src/base/limits.ts';
import type { TransferEvent } from '../../src/session/api.ts';
import { IncomingPipes } from '../../src/session/incoming.ts';
import { Neighbours } from '../../src/session/neighbours.ts';
import type { NetworkPort, NetworkUser } from '../../src/session/ports.ts';
import type { Introduction, Neighbour } from '../../src/sync/members.ts';
import { Receiver } from '../../src/sync/receiver.ts';
import { ADDRESSES, understood } from '../../src/transports/transport.ts';
import type { Hello } from '../../src/wire/signal.ts';
import { hashing } from '../hashing.ts';
import { helloOf } from '../hello.ts';
import { type MemoryPipe, memoryPipes } from '../lanes/memory-pipe.ts';
import type { VirtualClock } from '../virtual-clock.ts';

/** Which process listens where: by the name that its hello gives for it. */
export type Places = Map<string, LinkedProcess>;

export class LinkedProcess {
  readonly fingerprint: string;
  readonly pipes: IncomingPipes;
  readonly neighbours: Neighbours;
  readonly events: TransferEvent[] = [];
  readonly warned: string[] = [];
  readonly networks = { open: 0, closed: 0 };
  /** What was said to others of this side, as it left. */
  readonly said: string[] = [];
  refused = 0;
  dials = 0;
  /** The far ends of what it dialled. */
  readonly dialled: MemoryPipe[] = [];
  /** The latest of those it is linked with asks for something. */
  asks = () => {};
  /** And to this one it did something for which it is left. */
  leaves: (error: BeelineError) => void = () => {};
  /** Nobody gets through to it. */
  deaf = false;
  /** How often it was asked for ways that cost more. */
  widened = 0;
  readonly #places: Places;

  constructor(name: string, clock: VirtualClock, places: Places) {
    this.fingerprint = name.padEnd(64, '0');
    this.#places = places;
    places.set(this.fingerprint, this);
    this.pipes = new IncomingPipes(clock);
    const means = { clock, ...hashing, random: () => 0, limit: undefined };
    const nothing = () => {};
    const engine = new Receiver({
      ...{ ...means, allocate: (bytes) => new Uint8Array(bytes) },
      open: () => new Promise(() => {}),
      ...{ awaits: nothing, progress: nothing, gone: nothing, resumed: nothing, kept: nothing },
      ...{ stalled: () => false, complete: nothing, fail: nothing },
    });
    this.neighbours = new Neighbours({
      ...{ clock, log: undefined, pipes: this.pipes },
      connect: (user) => this.#connect(user),
      helper: (ports) => {
        this.asks = ports.asks;
        this.leaves = ports.fail;
        return engine.helper(ports);
      },
      emit: (event) => {
        this.events.push(event);
        if (event.event === 'warning') this.warned.push(event.reason ?? '');
      },
    });
  }

  /** It is introduced to somebody. @param say what it says goes there */
  meet(dials: boolean, say: (body: string) => void): Neighbour {
    const introduction: Introduction = {
      dials,
      say: (body) => {
        this.said.push(body);
        say(body);
      },
      refuse: () => void this.refused++,
    };
    return this.neighbours.meet(introduction);
  }

  /** A network whose only way to another is by its name. */
  async #connect(user: NetworkUser): Promise<NetworkPort> {
    this.networks.open++;
    const hello = (): Hello =>
      helloOf({
        ...{ fingerprint: this.fingerprint, agent: 'beeline/test', hosts: ['192.0.2.1'] },
        transports: { memory: [`192.0.2.1:${this.#places.size}`] },
      });
    return {
      kinds: [{ kind: 'memory', traits: { relayed: false, sort: 'stream', ownAddress: [], hides: false } }],
      hello,
      peer: ({ transports }) => {
        understood(ADDRESSES, transports.memory);
        user.paths(
          user.role === 'receiver'
            ? [{ kind: 'memory', name: 'memory', most: 2, open: () => this.#dial(user) }]
            : [],
        );
      },
      widen: () => void this.widened++,
      close: () => void this.networks.closed++,
    };
  }

  async #dial({ pin }: NetworkUser) {
    this.dials++;
    const to = this.#places.get(pin);
    if (!to || to.deaf) throw new Error('not reached');
    const [near, far] = memoryPipes();
    this.dialled.push(far);
    to.pipes.offer(far, this.fingerprint);
    return near;
  }
}

/** Two that are introduced to each other: the first dials. */
export function introduce(one: LinkedProcess, other: LinkedProcess): [Neighbour, Neighbour] {
  let [near, far]: (Neighbour | undefined)[] = [];
  near = one.meet(true, (body) => far?.hear(body));
  far = other.meet(false, (body) => near?.hear(body));
  return [near, far];
}

/** A hello with more addresses than anybody has. */
export function boundless(fingerprint: string): string {
  const addresses = Array.from({ length: MAX_ADDRESSES + 1 }, (_, at) => `192.0.2.7:${at + 1}`);
  return JSON.stringify(helloOf({ fingerprint, transports: { memory: addresses } }));
}
