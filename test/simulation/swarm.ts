/**
 * One run from its seed with several receivers of one offer, who help each other: an origin, up to five receivers, lanes
 * between all of them that come and go, and perhaps one receiver that lies to the others. People pause, processes are killed and started
 * again, and the origin may reach nobody for a while. Whatever happens, all but those who were given up get everything, and nobody
 * honest is taken for a liar.
 */

import { Bitfield } from '../../src/base/bitfield.ts';
import type { BeelineError } from '../../src/base/errors.ts';
import { BLOCK_BYTES, MAX_HOLDS } from '../../src/base/limits.ts';
import { HASH_NAMES } from '../../src/offer/hashing.ts';
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
import { Disk, hashesOf, hashOf, SimSource } from './stores.ts';
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

/** What an engine could do wrong: the simulator has to find it. */
export type SwarmFault = 'what comes is not checked';

/** What befalls a receiver, or its session at the origin. */
interface SwarmDeed {
  /** Seconds. */
  at: number;
  receiver: number;
  who: 'sender' | 'receiver';
  what: 'pause' | 'crash' | 'cancel' | 'cut';
}

export interface Swarm {
  scenario: Scenario;
  receivers: number;
  lies: SwarmLies;
  /** Lanes of origin and receiver, and of two receivers. */
  lanes: [number, number];
  /** Lanes that die, of all. */
  deaths: number;
  /** What befalls receivers. */
  deeds: readonly SwarmDeed[];
  /** Seconds from and for which the origin reaches nobody. */
  away: [number, number] | undefined;
  /** When they come, in seconds at most. */
  late: number;
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
      if (lies === 'other zeros') return [{ ...zeros, hash: hashOf(message.hash) }];
      if (lies === 'another hash') return [{ ...message, hash: hashOf(message.hash) }];
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
  const life = world.fork('life');
  const deeds = Array.from({ length: life.chance(0.5) ? 1 + life.below(5) : 0 }, () => ({
    at: life.chance(0.7) ? life.between(0, 6) : life.between(0, 60),
    receiver: life.below(receivers),
    who: life.pick(['sender', 'receiver'] as const),
    what: life.pick(['pause', 'pause', 'crash', 'crash', 'cut', 'cancel'] as const),
  }));
  const stream = scenario.stream && life.chance(0.5);
  const reach = new Map<string, boolean>();
  return {
    scenario: {
      ...{ ...scenario, deeds: [], lies: 'none' },
      ...{ stream, window: stream ? scenario.window : undefined },
      source: { ...scenario.source, fickle: false },
    },
    receivers,
    lies: chance.chance(0.5) ? 'none' : chance.pick(LIES),
    lanes: [1 + chance.below(3), 1 + chance.below(2)],
    faster: 1,
    // A stream is not given twice.
    deeds: stream ? deeds.filter(({ what }) => what !== 'crash') : deeds,
    away: life.chance(0.2) ? [life.between(0.1, 8), life.between(1, 60)] : undefined,
    late: life.pick([0, 0.5, 3, 10]),
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

interface Pair {
  readonly sender: SendingSide;
  receiver: ReceivingSide;
  opening: number;
  restarting: boolean;
  /** Somebody gave it up. */
  ruptured: boolean;
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
  readonly #pairs: Pair[] = [];
  readonly #links: Link[] = [];
  readonly #uplinks: Bottleneck[] = [];
  readonly #mutate: Mutate;
  readonly #fault: SwarmFault | undefined;
  #ids = 0;
  #deaths: number;

  constructor(world: World, swarm: Swarm, fault?: SwarmFault) {
    this.#world = world;
    this.#fault = fault;
    this.#swarm = swarm;
    this.#deaths = swarm.deaths;
    const { scenario, receivers, faster, lies } = swarm;
    const source = new SimSource(world, scenario.files, scenario.source, scenario.stream);
    this.#origin = new Origin(source, scenario.chunkSize, {
      digest: (hash) => (data) => hashOf(data, hash),
      hashes: hashesOf(world, 'the origin'),
      computes: HASH_NAMES,
      allocate: (bytes) => new Uint8Array(bytes).fill(0xdd),
      clock: world.clock,
      limit: scenario.limits.sender,
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
      const receiver = this.#receiver(i, disk);
      this.#pairs.push({ sender, receiver, opening: 0, restarting: false, ruptured: false });
    }
    this.#mutate = mutating(lies, world.fork('liar'), () => this.#origin.offer.space.chunks);
  }

  get scenario(): string {
    const { scenario, ...rest } = this.#swarm;
    return `${JSON.stringify(rest)} ${describe(scenario)}`;
  }

  /** Bytes of the offer. */
  get size(): number {
    return this.#swarm.scenario.files.reduce((sum, { length }) => sum + length, 0);
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
      world.after(this.#swarm.late * world.random(), () => this.#tend(i));
    }
    for (const deed of this.#swarm.deeds) world.after(deed.at, () => this.#do(deed));
    if (this.#swarm.away) world.after(this.#swarm.away[0], () => this.#leave());
    if (this.#swarm.deeds.length > 0) this.#goOn();
    await world.run(
      () =>
        this.#pairs.every(
          ({ sender, receiver, restarting }) =>
            !restarting && sender.ended && (receiver.ended || receiver.killed),
        ),
      MOST_SECONDS,
      MOST_EVENTS,
    );
    if (world.violations.length === 0) this.#check();
  }

  #receiver(i: number, disk: Disk): ReceivingSide {
    const { scenario, lies } = this.#swarm;
    const meet = (introduction: Introduction) => this.#meet(i, introduction);
    const receiver = new ReceivingSide(this.#world, scenario, disk, meet);
    receiver.garbled = lies === 'garbles';
    if (this.#fault === 'what comes is not checked') receiver.meant = (data) => this.#meant(data);
    return receiver;
  }

  /** The chunk that this one was before a liar had it, of which most bytes are left; else itself. */
  #meant(data: Uint8Array): Uint8Array {
    const { space } = this.#origin.offer;
    for (let chunk = 0; chunk < space.chunks; chunk++) {
      const parts = space
        .extents(chunk)
        .map(({ entry, offset, length }) =>
          this.#swarm.scenario.files[entry]!.subarray(offset, offset + length),
        );
      const whole = Buffer.concat(parts);
      if (whole.length !== data.length) continue;
      let same = 0;
      for (let at = 0; at < data.length; at++) if (whole[at] === data[at]) same++;
      if (same > 0.9 * data.length) return whole;
    }
    return data;
  }

  #do({ receiver: i, who, what }: SwarmDeed): void {
    const pair = this.#pairs[i]!;
    const side = pair[who];
    if (side.over || pair.restarting) return;
    this.#world.note(`${what} by the ${who} of ${i}`);
    if (what === 'pause') side.pause();
    else if (what === 'cut') [...pair.receiver.ends.values()][0]?.close();
    else if (what === 'cancel') {
      pair.ruptured = true;
      side.cancel();
    } else if (!pair.receiver.outcome) this.#restart(i);
  }

  /** Whoever pauses goes on some time. */
  #goOn(): void {
    this.#world.after(20, () => {
      for (const { sender, receiver } of this.#pairs) for (const side of [sender, receiver]) side.resume();
      this.#goOn();
    });
  }

  /** The process of a receiver is killed, and started again. */
  #restart(i: number): void {
    const pair = this.#pairs[i]!;
    const { world, disk } = { world: this.#world, disk: pair.receiver.disk };
    pair.restarting = true;
    pair.receiver.kill();
    for (const link of this.#links) if (link.members.includes(i)) this.#drop(link);
    world.after(world.between(0.5, 6), () => {
      pair.restarting = false;
      if (pair.sender.over) return;
      world.note(`receiver ${i} is started again`);
      pair.receiver = this.#receiver(i, disk);
      pair.receiver.dispatch('start');
      pair.sender.restart();
      this.#tend(i);
    });
  }

  /** Every chunk is at some receiver. */
  get allSomewhere(): boolean {
    const { chunks } = this.#origin.offer.space;
    const has = (chunk: number) => this.#pairs.some(({ receiver }) => receiver.sink?.down.has(chunk));
    return Array.from({ length: chunks }, (_, chunk) => chunk).every(has);
  }

  /** Receivers that miss nothing, but perhaps the origin's last word. */
  get arrived(): number {
    const all = this.#pairs.filter(
      ({ receiver }) => receiver.engine.arrived || receiver.state === 'completed',
    );
    return all.length;
  }

  /** The origin reaches nobody any more, for a while. */
  leave(seconds: number): void {
    this.#swarm.away = [this.#world.now, seconds];
    this.#leave();
  }

  #leave(): void {
    this.#world.note('the origin goes away');
    for (const { sender } of this.#pairs)
      for (const end of sender.ends.values())
        for (const each of [end, end.other]) each.die(this.#world.random());
  }

  /** Seconds until it is back. */
  get #away(): number {
    const [from, long] = this.#swarm.away ?? [0, 0];
    const { now } = this.#world;
    return now >= from && now < from + long ? from + long - now : 0;
  }

  #check(): void {
    const { disk, stream } = this.#swarm.scenario;
    // What a disk has lost of a stream cannot be sent again.
    const failing = disk.failures > 0 && (!disk.passing || stream);
    for (const [i, { sender, receiver }] of this.#pairs.entries()) {
      if (failing || receiver.gone.length > 0 || sender.gone.length > 0) continue;
      // Of a stream the others wait for the slowest, and go on without one that is gone.
      if (this.#pairs[i]!.ruptured) continue;
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
    if (pair.restarting) return;
    for (let open = pair.receiver.ends.size + pair.opening; open < lanes; open++) {
      pair.opening++;
      world.after(this.#away + world.between(0.01, 0.5), () => {
        pair.opening--;
        this.#open(i);
      });
    }
  }

  #open(i: number): void {
    const { sender, receiver, restarting } = this.#pairs[i]!;
    if (restarting || this.#away > 0) return this.#tend(i);
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
    sender.engine.heard(receiver.engine.hashes());
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
        // A process that is no more is not reached.
        const gone = [me, other].some((each) => this.#pairs[each]!.receiver.killed);
        if (gone || !this.#swarm.reach(me, other)) introduction.refuse();
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
          link.over
            ? { put: () => {}, take: () => false, cut: () => {} }
            : link.helpers[at].land(lane, header),
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

export function runSwarm(seed: number, fault?: SwarmFault): Promise<Report> {
  return reported(seed, (world) => new SwarmStory(world, swarmOf(world), fault));
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

type AnyCrowd = Pick<Crowd, 'receivers' | 'together'> & Partial<Crowd>;

export async function cost(crowd: AnyCrowd): Promise<Cost> {
  let story!: SwarmStory;
  await crowded(crowd, (_world, told) => {
    story = told;
  });
  return { copies: story.fromOrigin / story.size, seconds: story.completed };
}

/**
 * The origin goes away once all is at some receiver, and `grace` seconds later.
 * @returns how many receivers had everything when it came back, a minute after that
 */
export async function orphaned(crowd: AnyCrowd, grace: number): Promise<number> {
  let arrived = 0;
  await crowded(crowd, (world, story) => {
    const look = (): void => {
      if (!story.allSomewhere) return void world.after(0.05, look);
      world.after(grace, () => story.leave(60));
      world.after(grace + 59, () => {
        arrived = story.arrived;
      });
    };
    world.after(1, look);
  });
  return arrived;
}

async function crowded(crowd: AnyCrowd, begun: (world: World, story: SwarmStory) => void): Promise<void> {
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
  const told = await reported(1, (world) => {
    const story = new SwarmStory(world, {
      scenario: {
        ...{ ...scenario, chunkSize, files: [bytes], stream: false, window: undefined, deaths: 0 },
        ...{ bottleneck: rate, lies: 'none', deeds: [], limits: { sender: undefined, receiver: undefined } },
        source: { read: [0, 0.001], slowOneIn: 0, slow: 0, changes: [], fickle: false },
        disk: { ...scenario.disk, ...even, commit: 0.05, finish: 0, skipped: new Set(), old: new Map() },
      },
      ...{ receivers, lies: 'none', lanes: [2, 1], deaths: 0, temper, reach: () => together },
      ...{ faster: 4, deeds: [], away: undefined, late: 0 },
    });
    begun(world, story);
    return story;
  });
  if (told.violations.length > 0) throw new Error(told.violations.join('; '));
}
