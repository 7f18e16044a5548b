/** One run from its seed: two sides, the lanes between them, what befalls them, and what must hold at the end. */
import { BeelineError } from '../../src/base/errors.ts';
import type { Message } from '../../src/wire/messages.ts';
import { Bottleneck, type End, type Mutate, wire } from './lanes.ts';
import { liar } from './liar.ts';
import { ReceivingSide, SendingSide } from './peers.ts';
import { type Report, reported } from './report.ts';
import { type Deed, describe, type Scenario, scenarioOf, temperOf } from './scenario.ts';
import { Disk, type Fault, SimSource } from './stores.ts';
import type { World } from './world.ts';

/** Virtual seconds, and happenings, within which every run ends. */
const MOST_SECONDS = 20_000;
const MOST_EVENTS = 400_000;
/** Seconds after which whoever deals with a liar gives up. */
const PATIENCE = 400;
/** Seconds after which every pause has an end. */
const GO_ON = 150;
/** Seconds without the other side after which one gives up. */
const ALONE = 300;
/** Ends of a receiver that a person cures and then receives again. */
const CURABLE = ['INTERRUPTED', 'DISK_FULL', 'WRITE_FAILED', 'LOCKED'];

/** @param fault of the disk's, to see that it is found */
export function run(seed: number, fault?: Fault): Promise<Report> {
  return reported(seed, (world) => new Story(world, scenarioOf(world), fault));
}

class Story {
  readonly #world: World;
  readonly #scenario: Scenario;
  readonly #disk: Disk;
  readonly #sender: SendingSide;
  readonly #bottleneck: Bottleneck;
  readonly #liar: Mutate | undefined;
  /** The last root that the receiver came to. */
  readonly #heard: { root: Uint8Array | undefined } = { root: undefined };
  #receiver: ReceivingSide;
  #ids = 0;
  #deaths: number;
  #opening = 0;
  #restarting = false;
  /** Something that may end one side and not the other. */
  #rupture = false;

  constructor(world: World, scenario: Scenario, fault: Fault | undefined) {
    this.#world = world;
    this.#scenario = scenario;
    const expected = scenario.lies === 'none' ? scenario.files : undefined;
    this.#disk = new Disk(world, scenario.disk, expected, fault);
    this.#deaths = scenario.deaths;
    this.#bottleneck = new Bottleneck(scenario.bottleneck);
    const source = new SimSource(world, scenario.files, scenario.source, scenario.stream);
    this.#sender = new SendingSide(world, scenario, source, this.#disk);
    this.#receiver = new ReceivingSide(world, scenario, this.#disk);
    this.#liar = scenario.lies === 'none' ? undefined : liar(world, scenario, this.#heard);
  }

  get scenario(): string {
    return describe(this.#scenario);
  }

  get ended(): string {
    const say = ({ state, error }: { state: string; error: { code: string } | undefined }) =>
      state + (error ? ` ${error.code}` : '');
    return `${say(this.#sender)} / ${say(this.#receiver)}`;
  }

  async tell(): Promise<void> {
    const world = this.#world;
    const { deeds, lies } = this.#scenario;
    this.#sender.dispatch('start');
    this.#receiver.dispatch('start');
    for (const deed of deeds) world.after(deed.at, () => this.#do(deed));
    if (lies !== 'none') {
      world.after(PATIENCE, () => {
        this.#rupture = true;
        (this.#sender.honest ? this.#sender : this.#receiver).cancel();
      });
      world.after(PATIENCE + 1, () => (this.#sender.honest ? this.#receiver : this.#sender).kill());
    }
    this.#tend();
    this.#goOn();
    await world.run(() => this.#over, MOST_SECONDS, MOST_EVENTS);
    if (world.violations.length > 0) return;
    this.#check();
    // Whoever has ended does nothing more.
    await world.linger(30);
  }

  /** Whoever wanted a pause to end, and was not heard, presses again some time. */
  #goOn(): void {
    this.#world.after(GO_ON, () => {
      this.#sender.resume();
      this.#receiver.resume();
      if (!this.#over) this.#goOn();
    });
  }

  get #over(): boolean {
    const sides = [this.#sender, this.#receiver].filter(
      (side) => side.honest || this.#scenario.lies === 'none',
    );
    return !this.#restarting && sides.every((side) => side.ended || side.killed);
  }

  /** Lanes are opened as long as both are there. */
  #tend(): void {
    const world = this.#world;
    const open = this.#receiver.ends.size + this.#opening;
    for (let i = open; i < this.#scenario.lanes; i++) {
      this.#opening++;
      world.after(this.#ids < this.#scenario.lanes ? world.random() * 0.2 : world.between(0.05, 2), () => {
        this.#opening--;
        this.#open();
      });
    }
  }

  #open(): void {
    const [sender, receiver] = [this.#sender, this.#receiver];
    if (sender.over || receiver.over) return this.#alone();
    const mortal = this.#deaths > 0;
    if (mortal) this.#deaths--;
    const temper = temperOf(this.#world, this.#bottleneck.rate, mortal);
    const owner = (side: SendingSide | ReceivingSide) => ({
      message: (lane: End, message: Message) => {
        if (message.type === 'finish') this.#heard.root = message.root;
        side.message(lane, message);
      },
      land: side.land.bind(side),
      closed: (lane: End, error: Parameters<typeof side.closed>[1]) => {
        side.closed(lane, error);
        this.#afterClose();
      },
    });
    const of = (side: SendingSide | ReceivingSide) => ({
      honest: side.honest,
      ...(!side.honest && this.#liar && { mutate: this.#liar }),
    });
    const owners = [owner(sender), owner(receiver)] as const;
    const { a, b } = wire(++this.#ids, this.#world, temper, [this.#bottleneck], owners, [
      of(sender),
      of(receiver),
    ]);
    sender.engine.heard(receiver.engine.hashes());
    sender.up(a);
    if (!b.closed) receiver.up(b);
  }

  #afterClose(): void {
    // A receiver that failed for a reason that a person cures is started again.
    const { error, over, killed } = this.#receiver;
    if (over && !killed && error && CURABLE.includes(error.code)) this.#restart();
    this.#tend();
  }

  /** The other side is gone for good: that is found out some time. */
  #alone(): void {
    for (const [side, other] of [
      [this.#sender, this.#receiver],
      [this.#receiver, this.#sender],
    ] as const)
      if (!side.over && other.over && !this.#restarting)
        this.#world.after(ALONE, () => {
          if (side.over || !other.over || this.#restarting) return;
          const { error, killed } = this.#receiver;
          if (side === this.#sender && (killed || (error && CURABLE.includes(error.code))))
            return this.#restart();
          side.fail(new BeelineError('NO_PATH', 'alone'));
        });
  }

  #restart(): void {
    if (this.#restarting || this.#sender.over) return;
    this.#restarting = true;
    this.#rupture ||= this.#scenario.stream;
    this.#world.after(this.#world.between(0.5, 6), () => {
      const before = this.#receiver;
      if (!before.killed && !before.ended) before.kill();
      this.#restarting = false;
      if (this.#sender.over) return;
      this.#world.note('the receiver is started again');
      this.#receiver = new ReceivingSide(this.#world, this.#scenario, this.#disk);
      this.#receiver.dispatch('start');
      this.#sender.restart();
      this.#tend();
    });
  }

  #do({ who, what }: Deed): void {
    const side = who === 'sender' ? this.#sender : this.#receiver;
    if (side.over && what === 'resume' && this.#restarting)
      this.#world.after(1, () => this.#do({ at: 0, who, what }));
    if (side.over) return;
    const lanes = [...this.#receiver.ends.values()];
    this.#world.note(`${what} by the ${who}`);
    switch (what) {
      case 'pause':
        return side.pause();
      case 'resume':
        if (side.state === 'paused') return side.resume();
        // Without a lane it is not heard: it is pressed again.
        if (this.#sender.paused || this.#receiver.paused)
          this.#world.after(1, () => this.#do({ at: 0, who, what }));
        return;
      case 'cancel':
        this.#rupture = true;
        return side.cancel();
      case 'interrupt':
        if (this.#receiver.outcome) return;
        this.#receiver.fail(new BeelineError('INTERRUPTED', 'interrupted here'));
        return this.#restart();
      case 'crash':
        if (this.#receiver.outcome) return;
        this.#receiver.kill();
        return this.#restart();
      case 'retire':
        if (lanes.length > 1) this.#receiver.engine.retireLane(this.#world.pick(lanes));
        return;
      case 'cut':
        if (lanes.length > 0) this.#world.pick(lanes).close();
        return;
    }
  }

  /** What both sides, and the disk, have come to. */
  #check(): void {
    const [sender, receiver, world] = [this.#sender, this.#receiver, this.#world];
    if (this.#scenario.lies !== 'none') return;
    if (this.#disk.finished) this.#checkFiles();
    if (sender.outcome && receiver.outcome) {
      if (Buffer.compare(sender.outcome.root, receiver.outcome.root) !== 0)
        world.violate('the two roots differ');
      const [lost, missed] = [sender, receiver].map((side) => [...side.gone].sort().join());
      if (lost !== missed) world.violate(`gone are ${lost} to the sender and ${missed} to the receiver`);
      if (sender.bytes !== receiver.bytes)
        world.violate(`${sender.bytes} bytes sent and ${receiver.bytes} received`);
    }
    const [sent, received] = [sender.state === 'completed', receiver.state === 'completed'];
    if (sent && !receiver.outcome && !receiver.engine.arrived && !this.#disk.finished)
      world.violate(`the sender is done, the receiver is not: ${this.ended}`);
    // A stream whose receiver failed cannot be sent again.
    const once = this.#scenario.stream && receiver.error && CURABLE.includes(receiver.error.code);
    // It was ended when nothing was missing but the last word.
    const ended = receiver.killed || receiver.error?.code === 'INTERRUPTED';
    const late = this.#disk.finished && sender.outcome && ended;
    if (this.#rupture || once || late) return;
    const incomplete = sender.error?.code === 'SOURCE_CHANGED' && receiver.error?.code === 'SOURCE_CHANGED';
    const lastWord = sender.outcome && receiver.engine.arrived && receiver.error?.code === 'NO_PATH';
    const bothWell = sent && received && sender.gone.length === 0;
    if (!bothWell && !lastWord && !(incomplete && sender.gone.length > 0))
      world.violate(`an honest transfer ends as ${this.ended}`);
  }

  #checkFiles(): void {
    const { files, disk } = this.#scenario;
    for (const [entry, bytes] of files.entries()) {
      const name = this.#sender.source.entries[entry]!.path;
      if (disk.skipped.has(entry) || this.#sender.gone.includes(name) || this.#receiver.gone.includes(name))
        continue;
      const found = this.#disk.final(entry)?.bytes ?? Buffer.alloc(0);
      if (Buffer.compare(found, bytes) !== 0)
        return this.#world.violate(`file ${entry} is not what was sent`);
    }
  }
}
