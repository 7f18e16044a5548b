/**
 * Whole sessions in virtual time: two real `Session`s with their supervisors, lanes and framing, over pipes that fail in all
 * ways, a meeting point that goes away, and processes that are paused, cancelled, interrupted, killed and started again.
 * Only the sockets, the disk and the curve of the handshake are stand-ins.
 */

import { createHash } from 'node:crypto';
import { type Clock, sleep } from '../../src/base/clock.ts';
import { BeelineError } from '../../src/base/errors.ts';
import { fromCode } from '../../src/identity/secret.ts';
import type { Spake2Options } from '../../src/identity/spake2.ts';
import { HASH_NAMES } from '../../src/offer/hashing.ts';
import type { Result, TransferEvent } from '../../src/session/api.ts';
import type { NetworkPort, Platform } from '../../src/session/ports.ts';
import { receiveFrom } from '../../src/session/receiving.ts';
import { serve } from '../../src/session/sending.ts';
import type { Session } from '../../src/session/session.ts';
import { Running } from '../../src/session/transfer.ts';
import { isFinal, type State, TABLE } from '../../src/sync/machine.ts';
import type { Path } from '../../src/transports/path.ts';
import type { KnownKind } from '../../src/transports/transport.ts';
import type { Hello } from '../../src/wire/signal.ts';
import { Meeting } from './meeting.ts';
import { type PipeTemper, pipePair, pipeTemper, type SimPipe } from './pipes.ts';
import { type Report, reported } from './report.ts';
import { type Scenario, scenarioOf } from './scenario.ts';
import { Disk, hashesOf, hashOf, SimSink, SimSource } from './stores.ts';
import type { Chance, World } from './world.ts';

type Role = 'sender' | 'receiver';
type Act = 'pause' | 'resume' | 'cancel' | 'interrupt' | 'kill' | 'roam' | 'away';

interface Deed {
  /** Seconds. */
  at: number;
  who: Role;
  what: Act;
}

interface Plan {
  lanes: number | undefined;
  limit: number | undefined;
  /** Bytes a second of one pipe, more or less. */
  rate: number;
  /** Pipes that fail; later ones live. */
  deaths: number;
  dials: 'sender' | 'receiver' | 'both' | 'relay';
  meeting: number;
  /** Seconds that a person takes to say yes. */
  thinks: number;
  answer: 'yes' | 'no' | 'wrong code';
  deeds: Deed[];
}

/** Seconds that each side waits for the other, by its options. */
const WAIT = 400;
/** Virtual seconds, and happenings, within which every run ends. */
const MOST_SECONDS = 6_000;
const MOST_EVENTS = 400_000;
/** Seconds after which every pause has an end. */
const GO_ON = 100;
/** Seconds after which the person at a sender that was never connected gives up. */
const FORSAKEN = 500;
/** Seconds within which an end is heard where nothing is wrong with the network. */
const HEARD = 10;
/** Seconds after the end of a session in which it may still have a wait, of the mailbox or a supervisor. */
const LINGER = 40;
/** Bytes of chunk buffers that an engine may have: 32 MiB, and a receiver 96 on a long path, with what is around them. */
const BUFFERS = 98 * 1024 * 1024;
const CURABLE = ['INTERRUPTED', 'DISK_FULL', 'WRITE_FAILED', 'LOCKED'];

const KINDS: readonly KnownKind[] = [
  {
    kind: 'direct',
    traits: {
      relayed: false,
      sort: 'stream',
      senderDials: true,
      ownAddress: ['sender', 'receiver'],
      hides: false,
    },
  },
  { kind: 'relay', traits: { relayed: true, ownAddress: [], hides: true } },
];

function planOf(chance: Chance): Plan {
  const network = chance.pick(['well', 'well', 'ill']);
  const who = () => chance.pick(['sender', 'receiver'] as const);
  const deeds: Deed[] = [];
  for (let i = chance.pick([0, 0, 1, 1, 2, 4]); i > 0; i--) {
    const at = chance.chance(0.7) ? chance.between(0, 6) : chance.between(0, 60);
    const what = chance.pick(['pause', 'cancel', 'interrupt', 'interrupt', 'kill', 'roam', 'away'] as const);
    const side = what === 'kill' ? 'receiver' : who();
    deeds.push({ at, what, who: side });
    if (what === 'pause') deeds.push({ at: at + chance.between(0, 20), what: 'resume', who: who() });
  }
  return {
    lanes: chance.pick([undefined, undefined, 1, 3]),
    limit: chance.chance(0.1) ? chance.between(20_000, 200_000) : undefined,
    rate: chance.pick([50_000, 500_000, 5_000_000]),
    deaths: network === 'ill' ? 1 + chance.below(8) : 0,
    dials: chance.pick(['sender', 'receiver', 'both', 'relay']),
    meeting: chance.pick([0.001, 0.05, 0.4]),
    thinks: chance.pick([0, 0.1, 8]) * chance.random(),
    answer: chance.pick([...Array(18).fill('yes'), 'no', 'wrong code']),
    deeds: deeds.sort((a, b) => a.at - b.at),
  };
}

/** An exchange that proves equal passwords, and keeps nobody out. */
function cheapPake(random: () => number) {
  return ({ role, w }: Spake2Options) => {
    const share = Uint8Array.from({ length: 65 }, () => Math.floor(random() * 256));
    return {
      share,
      finish(theirs: Uint8Array) {
        const [a, b] = role === 'A' ? [share, theirs] : [theirs, share];
        const digest = createHash('sha256').update(w).update(a).update(b).digest();
        const mac = (of: string) => new Uint8Array(createHash('sha256').update(digest).update(of).digest());
        const verify = (peer: Uint8Array) => Buffer.compare(peer, mac(role === 'A' ? 'B' : 'A')) === 0;
        return { key: new Uint8Array(digest.subarray(0, 16)), confirmation: mac(role), verify };
      },
    };
  };
}

/** One process: a session, its clock and its pipes, all of which it takes along when it is killed. */
class Process {
  readonly role: Role;
  readonly transfer: Running;
  readonly session: Session;
  readonly fingerprint: string;
  readonly control = new AbortController();
  readonly pipes = new Set<SimPipe>();
  readonly #world: World;
  killed = false;
  result: Result | undefined;
  error: BeelineError | undefined;
  /** When it was over, and when it said so. */
  overAt: number | undefined;
  endedAt: number | undefined;
  /** Waits that stand. */
  waiting = 0;
  sink: SimSink | undefined;
  /** The peer's, as it last said who it is. */
  peer: string | undefined;
  again = (): void => {};
  /** A lane was up once. */
  connected = false;
  #told: State = 'idle';
  #last: TransferEvent | undefined;
  #buffers = 0;

  constructor(role: Role, number: number, world: World, plan: Plan) {
    this.role = role;
    this.#world = world;
    this.fingerprint = `${role === 'sender' ? 'a' : 'b'}${number}`.padEnd(64, '0');
    const { lanes, limit } = plan;
    this.transfer = new Running(role, this.platform, {
      ...{ wait: WAIT, signal: this.control.signal },
      ...(role === 'receiver' && lanes !== undefined && { lanes }),
      ...(limit !== undefined && { limit }),
    });
    this.session = this.transfer.session;
    this.transfer.subscribe((event) => this.#hear(event));
    this.transfer.done.then(
      (result) => {
        this.result = result;
        this.#ended('completed', 'done');
      },
      (error) => {
        this.error = error;
        this.#ended(error.code === 'CANCELLED' ? 'cancelled' : 'failed', 'error');
      },
    );
  }

  readonly clock: Clock = {
    now: () => this.#world.clock.now(),
    date: () => this.#world.clock.date(),
    after: (ms, run) => {
      let stands = true;
      const over = () => {
        if (stands) this.waiting--;
        stands = false;
      };
      this.waiting++;
      const cancel = this.#world.after(ms / 1000, () => {
        over();
        if (!this.killed) run();
      });
      return () => {
        over();
        cancel();
      };
    },
  };

  get platform(): Platform {
    return {
      clock: this.clock,
      random: this.#world.random,
      digest: (hash) => (data) => hashOf(data, hash),
      hashes: hashesOf(this.#world, this.fingerprint),
      computes: HASH_NAMES,
      allocate: (bytes) => {
        this.#buffers += bytes;
        if (this.#buffers > BUFFERS) this.wrong(`${this.#buffers} bytes of buffers`);
        return new Uint8Array(bytes);
      },
      pake: cheapPake(this.#world.random),
      agent: 'simulated',
    };
  }

  get alive(): boolean {
    return !this.killed && !this.session.over;
  }

  get ended(): boolean {
    return this.killed || this.endedAt !== undefined;
  }

  get end(): string {
    if (this.killed) return 'killed';
    return this.error?.code ?? (this.result ? 'done' : this.session.state);
  }

  wrong(text: string): void {
    if (!this.killed) this.#world.violate(`${this.role}: ${text}`);
  }

  kill(heard: boolean): void {
    this.killed = true;
    for (const pipe of this.pipes) pipe.abandon(heard);
  }

  /** People see a way through the table of states, and at its end what the promise says. */
  #hear(event: TransferEvent): void {
    if (this.killed) return;
    if (this.#last?.event === 'done' || this.#last?.event === 'error')
      this.wrong(`${event.event} is told after ${this.#last.event}`);
    this.#last = event;
    if (event.event !== 'state') return;
    const why = event.reason ? `: ${event.reason}` : '';
    this.#world.note(`${this.role} ${event.from} -> ${event.to}${event.by ? ` by ${event.by}` : ''}${why}`);
    if (event.from !== this.#told) this.wrong(`from ${event.from} is told, from ${this.#told} was so`);
    if (isFinal(event.from)) this.wrong(`${event.to} is told after ${event.from}`);
    if (!REACHES.get(event.from)?.has(event.to)) this.wrong(`${event.from} does not lead to ${event.to}`);
    this.#told = event.to;
    this.connected ||= event.to === 'transferring';
    if (isFinal(event.to)) this.overAt = this.#world.now;
  }

  #ended(state: State, last: 'done' | 'error'): void {
    if (this.killed) return;
    this.endedAt = this.#world.now;
    this.#world.note(`${this.role} ends: ${this.end} ${this.error?.message ?? ''}`);
    if (this.session.state !== state || this.#told !== state)
      this.wrong(`${this.session.state} at the end, ${this.#told} was told, and it is ${state}`);
    if (this.#last?.event !== last) this.wrong(`the last event of it is ${this.#last?.event}`);
  }
}

/** States that may be told next: what comes fast is told as what it comes to. */
const REACHES: ReadonlyMap<State, ReadonlySet<State>> = new Map(
  (Object.keys(TABLE) as State[]).map((from) => {
    const seen = new Set<State>();
    const look = (state: State) => {
      for (const { to } of Object.values(TABLE[state]))
        if (!seen.has(to)) {
          seen.add(to);
          look(to);
        }
    };
    look(from);
    return [from, seen];
  }),
);

class Story {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #scenario: Scenario;
  readonly #disk: Disk;
  readonly #meeting: Meeting;
  readonly #network: Chance;
  readonly #sender: Process;
  #receiver: Process;
  /** Of whom somebody may still know an address. */
  readonly #all: Process[] = [];
  #deaths: number;
  #pipes = 0;
  #restarting = false;
  #forsaken = false;
  /** Nobody is reached before this time. */
  #down = 0;
  /** When somebody's wish or death came, of whom the other may not hear. */
  #ruptures: number[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#plan = planOf(world.fork('plan'));
    this.#scenario = scenarioOf(world);
    this.#network = world.fork('pipes');
    this.#disk = new Disk(world, this.#scenario.disk, this.#scenario.files, undefined);
    this.#meeting = new Meeting(world, this.#plan.meeting);
    this.#deaths = this.#plan.deaths;
    this.#sender = this.#make('sender');
    this.#receiver = this.#make('receiver');
  }

  get scenario(): string {
    const { disk, source, stream } = this.#scenario;
    const files = this.#scenario.files.map(({ length }) => length);
    const bytes = files.reduce((sum, size) => sum + size, 0);
    const shown = { ...this.#plan, files: files.length, bytes, stream, source };
    return JSON.stringify({ ...shown, disk: { ...disk, skipped: disk.skipped.size, old: disk.old.size } });
  }

  get ended(): string {
    return `${this.#sender.end} / ${this.#receiver.end}`;
  }

  async tell(): Promise<void> {
    const world = this.#world;
    this.#send(this.#sender).catch((thrown) => this.#sender.transfer.fail(thrown));
    this.#receive(this.#receiver);
    for (const deed of this.#plan.deeds) world.after(deed.at, () => this.#do(deed));
    this.#goOn();
    await world.run(() => this.#over, MOST_SECONDS, MOST_EVENTS);
    if (world.violations.length > 0) return;
    this.#check();
    await world.linger(LINGER);
    if (world.violations.length > 0) return;
    // Whoever has ended does nothing more, and holds nothing.
    for (const one of this.#all) {
      if (one.killed) continue;
      if (one.waiting > 0) one.wrong(`${one.waiting} waits stand after its end`);
      const open = [...one.pipes].filter((pipe) => !pipe.over);
      if (open.length > 0) one.wrong(`${open.length} pipes are open after its end`);
    }
  }

  get #over(): boolean {
    return !this.#restarting && this.#sender.ended && this.#receiver.ended;
  }

  #make(role: Role): Process {
    const process = new Process(role, this.#all.length, this.#world, this.#plan);
    this.#all.push(process);
    // A receiver that failed for a reason that a person cures is started again.
    process.transfer.done.catch(({ code }) => {
      if (role === 'receiver' && CURABLE.includes(code)) this.#restart();
    });
    return process;
  }

  async #send({ transfer, platform, control }: Process): Promise<void> {
    const { files, source: temper, stream, disk } = this.#scenario;
    if (!transfer.begin()) return;
    const source = new SimSource(this.#world, files, { ...temper, fickle: false }, stream);
    await serve(transfer, {
      options: { code: '7-right', update: disk.old.size > 0, ...this.#limit },
      ...{ platform, source, skipped: [], warn: () => {} },
      known: [{ secret: fromCode({ nameplate: '7', password: 'right' }) }],
      host: async (_nameplate, on) => {
        const mailbox = await this.#meeting.join('sender', this.#sender, on, control.signal);
        transfer.cleanup.push(() => mailbox.close());
        return { mailbox, connect: () => this.#connect(this.#sender) };
      },
      keep: async () => undefined,
    });
  }

  #receive(process: Process): void {
    const { transfer, platform } = process;
    const { answer, thinks } = this.#plan;
    const password = answer === 'wrong code' ? 'wrong' : 'right';
    receiveFrom(transfer, {
      options: { ...this.#limit },
      platform,
      names: 'posix',
      known: async () => ({ secret: fromCode({ nameplate: '7', password }) }),
      meet: (_nameplate, signal, on) => this.#meeting.join('receiver', process, on, signal),
      connect: async () => this.#connect(process),
      sink: async () => {
        await sleep(process.clock, thinks * 1000);
        if (answer === 'no') return undefined;
        process.sink = new SimSink(this.#disk, true, this.#scenario.window ?? Number.POSITIVE_INFINITY);
        return process.sink;
      },
      keep: async () => undefined,
    }).catch((thrown) => transfer.fail(thrown));
  }

  get #limit() {
    return this.#plan.limit === undefined ? {} : { limit: this.#plan.limit };
  }

  #connect(process: Process): NetworkPort {
    const { session, fingerprint } = process;
    const hello = () => ({ fingerprint, tls: true, seal: fingerprint, transports: {}, hosts: [] });
    const paths = () => session.paths(this.#pathsOf(process));
    process.again = () => {
      if (!process.alive || process.peer === undefined) return;
      session.moved();
      paths();
    };
    return {
      ...{ kinds: KINDS, hello, close: () => {} },
      peer: (theirs: Hello) => {
        process.peer = theirs.fingerprint;
        paths();
      },
    };
  }

  #pathsOf(process: Process): Path[] {
    const { dials } = this.#plan;
    return KINDS.flatMap(({ kind, traits: { relayed } }) => {
      const able = relayed ? dials === 'relay' : dials === 'both' || dials === process.role;
      return able
        ? [
            {
              kind,
              name: kind,
              most: 8,
              open: (signal: AbortSignal) => this.#open(process, kind, relayed, signal),
            },
          ]
        : [];
    });
  }

  async #open(from: Process, kind: string, relayed: boolean, signal: AbortSignal): Promise<SimPipe> {
    const world = this.#world;
    const mortal = this.#deaths > 0;
    const temper = pipeTemper(this.#network, this.#plan.rate, mortal);
    await sleep(from.clock, 3 * temper.latency * 1000, signal);
    const to = this.#all.find(({ fingerprint }) => fingerprint === from.peer);
    if (world.now < this.#down || !to) {
      await sleep(from.clock, 5000 * world.random(), signal);
      throw new BeelineError('NO_PATH', 'Not reached.');
    }
    if (!to.alive) throw new BeelineError('NO_PATH', 'Nobody is there.');
    if (mortal) this.#deaths--;
    return this.#join(from, to, { kind, relayed }, temper);
  }

  #join(from: Process, to: Process, kind: { kind: string; relayed: boolean }, temper: PipeTemper): SimPipe {
    const [near, far] = pipePair(kind, `p${++this.#pipes}`, [from, to], this.#world, temper);
    from.pipes.add(near);
    to.pipes.add(far);
    this.#world.note(`${near.local} is opened by the ${from.role}`);
    this.#world.after(temper.latency, () => {
      if (to.killed) far.destroy();
      else to.transfer.offerPipe(far, from.fingerprint);
    });
    return near;
  }

  /** Whoever wanted a pause to end, and was not heard, presses again some time. */
  #goOn(): void {
    this.#world.after(GO_ON, () => {
      this.#sender.session.resume();
      if (!this.#receiver.killed) this.#receiver.session.resume();
      if (!this.#over) this.#goOn();
    });
    // One who was never connected waits for somebody for as long as its person does.
    this.#world.after(FORSAKEN, () => {
      if (this.#over || !this.#receiver.ended || this.#restarting || this.#sender.connected) return;
      this.#forsaken = true;
      this.#sender.control.abort();
    });
  }

  #restart(): void {
    if (this.#restarting || !this.#sender.alive) return;
    this.#restarting = true;
    this.#world.after(this.#world.between(0.5, 6), () => {
      this.#restarting = false;
      if (!this.#sender.alive) return;
      this.#world.note('the receiver is started again');
      if (!this.#receiver.ended) this.#kill(this.#receiver);
      this.#receiver = this.#make('receiver');
      this.#receive(this.#receiver);
    });
  }

  #kill(process: Process): void {
    const heard = this.#world.chance(0.5);
    process.kill(heard);
    this.#meeting.abandoned(process, heard);
    process.sink?.end();
    this.#disk.crash();
  }

  #do({ who, what }: Deed): void {
    const process = who === 'sender' ? this.#sender : this.#receiver;
    if (!process.alive) return;
    const { session } = process;
    this.#world.note(`${what} by the ${who}`);
    switch (what) {
      case 'pause':
        return session.pause();
      case 'resume':
        return session.resume();
      case 'cancel':
        this.#ruptures.push(this.#world.now);
        return session.cancel();
      case 'interrupt':
        this.#ruptures.push(this.#world.now);
        return process.control.abort();
      case 'kill':
        this.#ruptures.push(this.#world.now);
        this.#kill(process);
        return this.#restart();
      case 'away':
        return this.#meeting.away(this.#world.pick([1, 10, 60]));
      case 'roam':
        return this.#roam(process);
    }
  }

  /** All lanes of one side are dead, with or without a word, and after a while others can be opened. */
  #roam(process: Process): void {
    const silent = this.#world.chance(0.5);
    for (const pipe of process.pipes) {
      if (silent) pipe.deaf = pipe.other.deaf = true;
      else for (const end of [pipe, pipe.other]) end.end(new Error('reset'));
    }
    const seconds = this.#world.pick([0, 1, 30]);
    this.#down = Math.max(this.#down, this.#world.now + seconds);
    this.#world.after(seconds, () => {
      for (const lane of [...process.session.lanes])
        if (lane.quiet) lane.close(new BeelineError('NO_PATH', 'The network of this machine has changed.'));
      process.again();
    });
  }

  /** Nothing but wishes of people befell this run. */
  get #calm(): boolean {
    return (
      this.#plan.deaths === 0 && this.#plan.deeds.every(({ what }) => what !== 'roam' && what !== 'away')
    );
  }

  #check(): void {
    const [sender, receiver] = [this.#sender, this.#receiver];
    if (sender.result && !this.#disk.finished) sender.wrong('done is told, and nothing is durable');
    if (receiver.result && !receiver.sink?.finished) receiver.wrong('done is told, and nothing is durable');
    if (this.#disk.finished) this.#checkFiles();
    if (sender.result && receiver.result && sender.result.root !== receiver.result.root)
      this.#world.violate('the two roots differ');
    if (!this.#agree(sender.end, receiver.end)) this.#world.violate(`they end as ${this.ended}`);
    const ends = [sender, receiver].map((one) => one.overAt).filter((at) => at !== undefined);
    if (
      this.#calm &&
      !this.#wasWaitedFor &&
      this.#sender.connected &&
      this.#receiver.connected &&
      ends.length === 2 &&
      Math.abs(ends[0]! - ends[1]!) > HEARD
    )
      this.#world.violate(
        `the ends are ${Math.abs(ends[0]! - ends[1]!).toFixed(1)} s apart, as ${this.ended}`,
      );
  }

  /** The receiver ended for what may pass: its sender waits for it to come back, until its own person thinks better of it. */
  get #wasWaitedFor(): boolean {
    const [sender, receiver] = [this.#sender, this.#receiver];
    const first = (receiver.overAt ?? Infinity) < (sender.overAt ?? Infinity);
    return first && ['INTERRUPTED', 'killed', ...CURABLE].includes(receiver.end);
  }

  /** Which ends belong together: the same, or that of one who was cut off from the other's. */
  #agree(sender: string, receiver: string): boolean {
    const met = this.#sender.connected && this.#receiver.connected;
    // A pipe that fails is followed by others, and nobody is out of reach for as long as they wait: those who met find each other.
    if (sender === 'NO_PATH' && receiver === 'NO_PATH') return !met;
    if (sender === receiver || this.#forsaken) return true;
    // Whoever ends by its own wish when the other is done has nobody to tell.
    const wished = ['CANCELLED', 'INTERRUPTED', 'killed'];
    if (sender === 'done' && wished.includes(receiver)) return this.#ruptures.length > 0;
    // It was given time to hear so, and was cut off for longer: all is there, and it knows that.
    // Or its process died then, and the new one came when the sender had waited long enough.
    if (sender === 'done')
      return (
        (receiver === 'NO_PATH' && !this.#calm && this.#receiver.session.engine?.arrived === true) ||
        (receiver === 'NO_PEER' && this.#ruptures.length > 0 && !this.#receiver.connected)
      );
    if (receiver === 'done') return wished.includes(sender) && this.#ruptures.length > 0;
    // The guess was wrong, and whoever made it did not wait to hear so, or the server that bore the word was away.
    if (sender === 'WRONG_CODE')
      return wished.includes(receiver) || (!this.#calm && ['TIMEOUT', 'NO_PEER'].includes(receiver));
    if (this.#wasWaitedFor && ['CANCELLED', 'INTERRUPTED'].includes(sender)) return true;
    // Both ended by themselves, each before it could hear of the other.
    if (
      ['CANCELLED', 'INTERRUPTED'].includes(sender) &&
      ['REFUSED', 'SOURCE_CHANGED', ...CURABLE].includes(receiver)
    ) {
      const [one, other] = [this.#sender.overAt ?? Infinity, this.#receiver.overAt ?? Infinity];
      if (Math.abs(one - other) <= HEARD) return true;
    }
    // The sender's own end, as its receiver tells of it, if it heard of it at all.
    const cutOff = !this.#calm || !met;
    const alone = [
      'PEER_FAILED',
      'NO_PATH',
      'NO_PEER',
      'TIMEOUT',
      'AUTHENTICATION',
      'REFUSED',
      ...wished,
      ...CURABLE,
    ];
    if (sender === 'INTERRUPTED')
      return receiver === 'PEER_FAILED' || wished.includes(receiver) || (cutOff && alone.includes(receiver));
    if (sender === 'CANCELLED') return wished.includes(receiver) || (cutOff && alone.includes(receiver));
    // Of a stream that broke off, and of a receiver that does not come back, or whose new process ended before the two met.
    const strange = wished.includes(receiver) && !this.#receiver.connected;
    if (receiver === 'killed' || strange || CURABLE.includes(receiver))
      return ['NO_PATH', 'PEER_FAILED'].includes(sender);
    return !this.#calm && ['NO_PATH', 'PEER_FAILED'].includes(sender);
  }

  #checkFiles(): void {
    const { files, disk, source } = this.#scenario;
    for (const [entry, bytes] of files.entries()) {
      if (disk.skipped.has(entry) || source.changes.some((change) => change.entry === entry)) continue;
      const found = this.#disk.final(entry)?.bytes ?? Buffer.alloc(0);
      if (Buffer.compare(found, bytes) !== 0)
        return this.#world.violate(`file ${entry} is not what was sent`);
    }
  }
}

/** One run of two sessions from its seed. */
export function runSessions(seed: number): Promise<Report> {
  return reported(seed, (world) => new Story(world));
}
