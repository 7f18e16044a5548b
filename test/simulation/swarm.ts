/**
 * One run from its seed with several receivers of one offer, who help each other: an origin, up to five receivers, lanes
 * between all of them that come and go, and perhaps one receiver that lies to the others. Whatever it does, the others get
 * everything, and nobody honest is taken for a liar.
 */
import { Bitfield } from '../../src/base/bitfield.ts';
import type { BeelineError } from '../../src/base/errors.ts';
import { BLOCK_BYTES, MAX_HOLDS } from '../../src/base/limits.ts';
import { FATAL } from '../../src/session/verdict.ts';
import type { Helper } from '../../src/sync/helper.ts';
import type { Introduction, Neighbour } from '../../src/sync/members.ts';
import { Origin } from '../../src/sync/origin.ts';
import type { Message } from '../../src/wire/messages.ts';
import { randomBytes, randomFrom } from '../seed.ts';
import { Bottleneck, type End, type LaneOwner, type Mutate, type Temper, wire } from './lanes.ts';
import { ReceivingSide, SendingSide } from './peers.ts';
import { type Report, reported } from './report.ts';
import { describe, type Scenario, scenarioOf, temperOf } from './scenario.ts';
import { Disk, hashOf, SimSource } from './stores.ts';
import { type Chance, World } from './world.ts';

/** Virtual seconds, and happenings, within which every run ends. */
const MOST_SECONDS = 20_000;
const MOST_EVENTS = 1_500_000;

const LIES = [
  'claims all',
  'garbles',
  'another hash',
  'silent',
  'lacks',
  'asks without end',
  'nonsense',
  'short zeros',
  'other zeros',
] as const;
export type SwarmLies = (typeof LIES)[number] | 'none';

export interface Swarm {
  scenario: Scenario;
  receivers: number;
  lies: SwarmLies;
  /** Lanes of origin and receiver, and of two receivers. */
  lanes: [number, number];
  /** Lanes that die, of all. */
  deaths: number;
  /** Of every lane; absent: by chance. */
  temper?: Temper;
  /** How many times as fast as the origin's line each receiver's is. */
  faster: number;
  /** Whether two receivers reach each other. */
  reach: (one: number, other: number) => boolean;
}

/** What a liar makes of what it says to other receivers. */
function mutating(lies: SwarmLies, chance: Chance, chunks: () => number): Mutate {
  return (message: Message): Message[] => {
    if (message.type === 'blocks') {
      if (lies === 'claims all' || lies === 'silent') return [];
      if (lies === 'lacks') {
        const { index, offset, data } = message;
        const from = offset / BLOCK_BYTES;
        return [{ type: 'lacks', index, from, to: from + Math.max(1, Math.ceil(data.length / BLOCK_BYTES)) }];
      }
      const zeros = { ...message, form: 'zeros' as const, data: new Uint8Array(), bytes: 0 };
      if (lies === 'short zeros') return [{ ...zeros, length: Math.max(1, message.length - 1) }];
      if (lies === 'other zeros') return [{ ...zeros, sha256: hashOf(message.sha256) }];
      if (lies === 'another hash') return [{ ...message, sha256: hashOf(message.sha256) }];
      if (lies === 'garbles' && message.form === 'data' && message.data.length > 0) {
        const data = message.data.slice();
        data[chance.below(data.length)]! ^= 1 + chance.below(255);
        return [{ ...message, data }];
      }
    }
    if (message.type === 'holds') {
      if (lies === 'silent') return [];
      if (lies === 'claims all') {
        const all = new Bitfield();
        all.addRange(0, chunks(), new Bitfield());
        return [{ ...message, first: 0, bits: all.bytes(0, Math.min(MAX_HOLDS, Math.ceil(chunks() / 8))) }];
      }
      if (lies === 'nonsense') return [{ ...message, first: message.first + chance.below(1e6) }];
    }
    if (message.type === 'get' && lies === 'asks without end')
      return Array.from({ length: 20 }, () => message);
    return [message];
  };
}

export function swarmOf(world: World): Swarm {
  const chance = world.fork('swarm');
  const scenario = scenarioOf(world);
  const receivers = 2 + chance.below(4);
  const apart = chance.chance(0.2);
  const friends = world.fork('friends');
  const reach = new Map<string, boolean>();
  return {
    scenario: {
      ...{ ...scenario, stream: false, window: undefined, deeds: [], lies: 'none' },
      limits: { sender: undefined, receiver: undefined },
      source: { ...scenario.source, fickle: false },
    },
    receivers,
    lies: chance.chance(0.5) ? 'none' : chance.pick(LIES),
    lanes: [1 + chance.below(3), 1 + chance.below(2)],
    faster: 1,
    deaths: chance.chance(0.4) ? 1 + chance.below(20) : 0,
    reach: (one, other) => {
      const key = `${Math.min(one, other)} ${Math.max(one, other)}`;
      if (!reach.has(key)) reach.set(key, !apart || friends.chance(0.5));
      return reach.get(key)!;
    },
  };
}

/** Two receivers who reach each other. */
interface Link {
  members: [number, number];
  helpers: [Helper, Helper];
  ends: Set<End>;
  over: boolean;
}

function isOf({ members: [one, other] }: Link, i: number, j: number): boolean {
  return (one === i && other === j) || (one === j && other === i);
}

export class SwarmStory {
  /** Bytes of chunks that left the origin. */
  fromOrigin = 0;
  readonly #world: World;
  readonly #swarm: Swarm;
  readonly #origin: Origin;
  readonly #pairs: { sender: SendingSide; receiver: ReceivingSide; opening: number }[] = [];
  readonly #links: Link[] = [];
  readonly #uplinks: Bottleneck[] = [];
  readonly #mutate: Mutate;
  #ids = 0;
  #deaths: number;

  constructor(world: World, swarm: Swarm) {
    this.#world = world;
    this.#swarm = swarm;
    this.#deaths = swarm.deaths;
    const { scenario, receivers, lies, faster } = swarm;
    const source = new SimSource(world, scenario.files, scenario.source, false);
    this.#origin = new Origin(source, scenario.chunkSize, {
      digest: hashOf,
      allocate: (bytes) => new Uint8Array(bytes).fill(0xdd),
      clock: world.clock,
      limit: undefined,
      sha256: false,
      update: false,
      swarm: world,
      gone: (path) => {
        for (const { sender } of this.#pairs) sender.gone.push(path);
      },
    });
    for (let i = 0; i < receivers; i++) this.#uplinks.push(new Bottleneck(faster * scenario.bottleneck));
    this.#uplinks.push(new Bottleneck(scenario.bottleneck));
    for (let i = 0; i < receivers; i++) {
      const disk = new Disk(world, scenario.disk, scenario.files, undefined);
      const sender = new SendingSide(world, scenario, source, disk, this.#origin);
      const receiver = new ReceivingSide(world, scenario, disk, (introduction) =>
        this.#meet(i, introduction),
      );
      receiver.garbled = lies === 'garbles';
      this.#pairs.push({ sender, receiver, opening: 0 });
    }
    this.#mutate = mutating(lies, world.fork('liar'), () => this.#origin.offer.space.chunks);
  }

  get scenario(): string {
    const { scenario, ...rest } = this.#swarm;
    return `${JSON.stringify(rest)} ${describe(scenario)}`;
  }

  /** When the last of them had everything, in seconds. */
  get completed(): number {
    return Math.max(...this.#pairs.map(({ receiver }) => receiver.completed ?? Number.POSITIVE_INFINITY));
  }

  get ended(): string {
    const ends = this.#pairs.map(({ receiver: { state, error } }) => state + (error ? ` ${error.code}` : ''));
    return `${this.#swarm.lies}: ${[...new Set(ends)].sort().join(', ')}`;
  }

  async tell(): Promise<void> {
    const world = this.#world;
    for (const [i, { sender, receiver }] of this.#pairs.entries()) {
      sender.dispatch('start');
      receiver.dispatch('start');
      // Some come late.
      world.after(world.pick([0, 0, 0.5, 3]) * world.random(), () => this.#tend(i));
    }
    await world.run(
      () => this.#pairs.every(({ sender, receiver }) => sender.ended && receiver.ended),
      MOST_SECONDS,
      MOST_EVENTS,
    );
    if (world.violations.length === 0) this.#check();
  }

  #check(): void {
    const failing = this.#swarm.scenario.disk.failures > 0 && !this.#swarm.scenario.disk.passing;
    for (const [i, { sender, receiver }] of this.#pairs.entries()) {
      if (failing || receiver.gone.length > 0 || sender.gone.length > 0) continue;
      // The origin has heard that all is well, and its last word was lost with the lane.
      if (sender.state === 'completed' && receiver.engine.arrived) continue;
      if (receiver.state !== 'completed' || sender.state !== 'completed')
        this.#world.violate(
          `receiver ${i} ended ${sender.state} / ${receiver.state} ${receiver.error?.code ?? ''} ${receiver.error?.message ?? ''}`,
        );
    }
  }

  #liar(i: number): boolean {
    return i === 0 && this.#swarm.lies !== 'none';
  }

  /** Keeps the lanes of a receiver and the origin. */
  #tend(i: number): void {
    const pair = this.#pairs[i]!;
    const world = this.#world;
    const [lanes] = this.#swarm.lanes;
    for (let open = pair.receiver.ends.size + pair.opening; open < lanes; open++) {
      pair.opening++;
      world.after(world.between(0.01, 0.5), () => {
        pair.opening--;
        this.#open(i);
      });
    }
  }

  #open(i: number): void {
    const { sender, receiver } = this.#pairs[i]!;
    if (sender.over || receiver.over) return this.#alone(i);
    const owner = (side: SendingSide | ReceivingSide): LaneOwner => ({
      message: side.message.bind(side),
      land: side.land.bind(side),
      closed: (lane, error) => {
        side.closed(lane, error);
        this.#tend(i);
      },
    });
    const count: Mutate = (message) => {
      if (message.type === 'blocks') this.fromOrigin += message.data.length;
      return [message];
    };
    const owners = [owner(sender), owner(receiver)] as const;
    const { a, b } = wire(++this.#ids, this.#world, this.#temper(), [this.#uplinks.at(-1)!], owners, [
      { honest: true, mutate: count },
      { honest: true },
    ]);
    sender.up(a);
    if (!b.closed) receiver.up(b);
  }

  /** One side has ended, and the other was not told. */
  #alone(i: number): void {
    const { sender, receiver } = this.#pairs[i]!;
    for (const side of [sender, receiver]) if (!side.over) this.#world.after(300, () => side.cancel());
  }

  #temper(): Temper {
    if (this.#swarm.temper) return this.#swarm.temper;
    const mortal = this.#deaths > 0;
    if (mortal) this.#deaths--;
    return temperOf(this.#world, this.#swarm.scenario.bottleneck, mortal);
  }

  /** The origin introduces two: what they say to each other through it is who they are. */
  #meet(me: number, introduction: Introduction): Neighbour {
    introduction.say(String(me));
    let link: Link | undefined;
    return {
      hear: (body) => {
        const other = Number(body);
        if (!this.#swarm.reach(me, other)) introduction.refuse();
        else
          link =
            this.#links.find((each) => !each.over && isOf(each, me, other)) ?? this.#introduce(me, other);
      },
      forget: () => {},
      end: () => {
        if (link) this.#drop(link);
      },
    };
  }

  #introduce(i: number, j: number): Link {
    const helper = (me: number, other: number): Helper => {
      const { receiver } = this.#pairs[me]!;
      return receiver.engine.helper({
        fail: (error) => this.#fail(link, me, other, error),
        ended: () => this.#drop(link),
        ...{ asks: () => {}, content: () => {} },
      });
    };
    const link: Link = { members: [i, j], helpers: [] as never, ends: new Set(), over: false };
    link.helpers = [helper(i, j), helper(j, i)];
    this.#links.push(link);
    for (let lane = 0; lane < this.#swarm.lanes[1]; lane++) this.#join(link);
    return link;
  }

  #fail(link: Link, me: number, other: number, error: BeelineError): void {
    const { receiver } = this.#pairs[other]!;
    // What a peer that has ended has on its disk is nobody's business any more.
    if (!this.#liar(other) && !this.#liar(me) && receiver.honest)
      this.#world.violate(`receiver ${me} drops ${other}, which is honest: ${error.code} ${error.message}`);
    this.#drop(link);
  }

  #drop(link: Link): void {
    if (link.over) return;
    link.over = true;
    for (const end of [...link.ends]) end.close();
    for (const helper of link.helpers) helper.stop();
  }

  #join(link: Link): void {
    const world = this.#world;
    world.after(world.between(0.01, 1), () => {
      if (link.over) return;
      const [i, j] = link.members;
      const owner = (at: 0 | 1): LaneOwner => ({
        message: (lane, message) => {
          if (!link.over) link.helpers[at].message(lane, message);
        },
        land: (lane, header) =>
          link.over ? { put: () => {}, cut: () => {} } : link.helpers[at].land(lane, header),
        closed: (lane, error) => {
          if (!link.ends.delete(lane)) return;
          link.helpers[at].removeLane(lane);
          if (error && FATAL.has(error.code))
            this.#fail(link, link.members[at], link.members[1 - at]!, error);
          else if (at === 0) this.#join(link);
        },
      });
      const liar = (member: number) =>
        this.#liar(member) ? { honest: false, mutate: this.#mutate } : { honest: true };
      const { a, b } = wire(
        ++this.#ids,
        world,
        this.#temper(),
        [this.#uplinks[i]!],
        [owner(0), owner(1)],
        [liar(i), liar(j)],
        [this.#uplinks[j]!],
      );
      link.ends.add(a).add(b);
      link.helpers[0].addLane(a);
      if (!b.closed) link.helpers[1].addLane(b);
    });
  }
}

export function runSwarm(seed: number): Promise<Report> {
  return reported(seed, (world) => new SwarmStory(world, swarmOf(world)));
}

/** Receivers on like lines, and an origin whose uplink is a quarter of theirs. */
export interface Crowd {
  receivers: number;
  /** Whether they reach each other. */
  together: boolean;
  chunks: number;
  /** Bytes. */
  chunkSize: number;
  /** In which time the origin's line carries the offer once, in seconds. */
  seconds: number;
}

/** How often the origin sent each byte, and after how many seconds the last one had everything. */
export interface Cost {
  copies: number;
  seconds: number;
}

const CROWD = { chunks: 200, chunkSize: 65_536, seconds: 32 };

export async function cost(crowd: Pick<Crowd, 'receivers' | 'together'> & Partial<Crowd>): Promise<Cost> {
  const { receivers, together, chunks, chunkSize, seconds } = { ...CROWD, ...crowd };
  const scenario = scenarioOf(new World(1));
  const size = chunks * chunkSize;
  const rate = size / seconds;
  const even = { write: [0, 0.001] as const, slowOneIn: 0, failOneIn: 0, failures: 0, finishFailures: 0 };
  const temper: Temper = {
    ...{ latency: 0.01, jitter: 0, rate: 4 * rate, window: Math.max(65_536, rate / 10), stallFor: 0 },
    ...{ notice: [0, 0], lossy: false, whole: true },
    ...{ stallAt: Number.POSITIVE_INFINITY, dieAt: Number.POSITIVE_INFINITY },
  };
  const bytes = randomBytes(randomFrom(7), size);
  let story!: SwarmStory;
  const told = await reported(1, (world) => {
    story = new SwarmStory(world, {
      scenario: {
        ...{ ...scenario, chunkSize, files: [bytes], stream: false, window: undefined, deaths: 0 },
        ...{ bottleneck: rate, lies: 'none', deeds: [], limits: { sender: undefined, receiver: undefined } },
        source: { read: [0, 0.001], slowOneIn: 0, slow: 0, changes: [], fickle: false },
        disk: { ...scenario.disk, ...even, commit: 0.05, finish: 0, skipped: new Set(), old: new Map() },
      },
      ...{ receivers, lies: 'none', lanes: [2, 1], deaths: 0, temper, reach: () => together },
      faster: 4,
    });
    return story;
  });
  if (told.violations.length > 0) throw new Error(told.violations.join('; '));
  return { copies: story.fromOrigin / size, seconds: story.completed };
}
