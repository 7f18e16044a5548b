/**
 * One offer by the real command, and several people who receive it: they come at different times, are killed, interrupted and start
 * again, and some never do. The sender may be killed too, and started again with the same code.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, type Ended, type Line, within } from '../integration/command.ts';
import { snapshot } from '../integration/tree.ts';
import { Workspace } from '../integration/workspace.ts';
import { freePort } from '../ports.ts';
import { randomFrom } from '../seed.ts';
import { type Story, told } from './story.ts';
import { plant, size } from './tree.ts';

type Random = () => number;

const SIGNALS: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGINT', 'SIGTERM'];
/** How a receiver may end that nobody killed: all were served. It comes again, for the next sender. */
const SERVED = new Set(['NO_PEER', 'NO_PATH', 'CROWDED']);
/** The same if its sender was killed: it said so, or went as they met, or as the code was checked, with which the next one cannot go on. */
const SENDER_GONE = new Set([
  'SENDER_INTERRUPTED',
  'SENDER_ENDED',
  'SERVER_UNREACHABLE',
  'SERVER_LOST',
  'HANDSHAKE_DISTURBED',
]);
/** What a receiver keeps of its own beside what it received: a key, and receipts. */
const KEPT = /^(version-key|[\dTZ-]+-[\da-f]{20}\.jsonl)$/;
/** And what one that was killed leaves until it has its turn there again: a lock that binds nobody, what it half wrote. */
const HALF = /^(lock(\.[\da-f]{32})?|\.(beeline-receipt-)?[\da-f-]{36}\.tmp)$/;
const MOST_PEOPLE = 5;
/** Kills of one receiver; after them it is let run. */
const MOST_KILLS = 2;
/** Runs of one receiver, and of the sender; more means that it does not come to an end. */
const MOST_RUNS = 12;
const PATIENCE_MS = 120_000;
/** How long the sender's limit makes the transfer to all of them last, if nobody helps. */
const LEAST_SECONDS = 2;
const MOST_SECONDS = 8;

/** @throws AssertionError if anybody's tree is not the same at the end, anything is left behind, or the sender ends otherwise */
export function tortureMany(seed: number): Promise<Story> {
  return told(`many, seed ${seed}`, new Torture(seed));
}

/** Somebody who receives. Each has a sequence of its own: theirs interleave differently from run to run. */
interface Person {
  id: number;
  to: string;
  flags: string[];
  random: Random;
  kills: number;
  killed: boolean;
  /** Has never the patience to start again once it was killed. */
  givesUp: boolean;
  command?: Command;
  done: boolean;
}

class Torture {
  readonly workspace = new Workspace();
  readonly story: Story = { lines: [], kills: 0, resumed: 0 };
  readonly #random: Random;
  readonly #started = performance.now();
  readonly #tree: string;
  readonly #people: Person[];
  readonly #limit: string;
  readonly #byServer: boolean;
  readonly #swarm: boolean;
  /** How many the sender waits for, or any number. */
  #receivers: string;
  #senderKills: number;
  #killed: Command | undefined;
  #meet: { send: string[]; receive: string[] } = { send: [], receive: [] };
  #sender: Command | undefined;
  #senderRuns = 0;
  #code: string | undefined;
  /** All people are done, or have given up. */
  #over = false;

  constructor(seed: number) {
    const random = randomFrom(seed);
    this.#random = random;
    this.#tree = this.workspace.folder('from', 'tree');
    plant(this.#tree, random);
    const count = 2 + Math.floor(random() * (MOST_PEOPLE - 1));
    const any = random() < 0.5;
    this.#people = Array.from({ length: count }, (_, id) => ({
      ...{ id, to: this.workspace.folder(`to-${id}`), random: randomFrom(seed * 31 + id + 1) },
      flags: random() < 0.15 ? ['--no-share'] : [],
      kills: Math.floor(random() * (MOST_KILLS + 1)),
      killed: false,
      givesUp: any && id > 0 && random() < 0.25,
      done: false,
    }));
    this.#receivers = any ? 'any' : String(count);
    const seconds = LEAST_SECONDS + random() * (MOST_SECONDS - LEAST_SECONDS);
    this.#limit = String(Math.ceil((size(this.#tree) * count) / seconds));
    this.#byServer = random() < 0.4;
    this.#swarm = random() < 0.8;
    this.#senderKills = random() < 0.4 ? 1 + Math.floor(random() * 2) : 0;
  }

  async run(): Promise<void> {
    await this.#open();
    await this.#startSender();
    const sender = this.#tend();
    const people = this.#people.map((person) => this.#live(person));
    // Whoever fails first ends it: the others may wait for it for long.
    const all = Promise.all(people).then(() => {
      this.#over = true;
    });
    await Promise.race([all, sender]);
    await all;
    this.#check();
    await this.#endSender();
    await sender;
    assert.deepEqual(readdirSync(this.workspace.path('tmp')), [], 'temporary files are left');
  }

  async #open(): Promise<void> {
    this.workspace.folder('tmp');
    const port = String(await freePort());
    if (!this.#byServer) {
      this.#meet = { send: ['--port', port], receive: ['--at', `127.0.0.1:${port}`] };
      return;
    }
    const server = this.workspace.start(['server', '--port', port, '--host', '127.0.0.1']);
    await server.until('listening');
    const meet = ['--server', `ws://127.0.0.1:${port}`];
    this.#meet = { send: meet, receive: meet };
  }

  /** The sender, from its first start on: killed now and then, and started again while somebody still needs it. */
  async #tend(): Promise<void> {
    while (!this.#over) {
      const sender = this.#sender!;
      const killing = this.#senderKills > 0;
      if (killing) {
        await sender.until(transferring, PATIENCE_MS).catch(() => {});
        await within(Math.floor(this.#random() * 3000), sender.exited);
        if (this.#over) return;
        this.#senderKills--;
        this.#killed = sender;
        this.story.kills++;
        const signal = this.#pick(SIGNALS, this.#random);
        this.#note(`${signal} to the sender`);
        sender.signal(signal);
        // Nobody counts any more who had it of the one before.
        this.#receivers = 'any';
      }
      const ended = await sender.exited;
      this.#note(`the sender ended with ${ended.status}`);
      if (!killing && !this.#over) this.#justified(ended);
      if (this.#over) return;
      await delay(Math.floor(this.#random() ** 2 * 1500));
      this.#receivers = 'any';
      await this.#startSender();
    }
  }

  async #startSender(): Promise<void> {
    if (this.#senderRuns++ > MOST_RUNS) assert.fail('The sender does not come to an end.');
    this.#note(`send --receivers ${this.#receivers}`);
    const code = this.#code === undefined ? [] : ['--code', this.#code];
    const swarm = this.#swarm ? [] : ['--no-swarm'];
    const flags = ['--no-lan', '--limit', this.#limit, '--receivers', this.#receivers];
    this.#sender = this.#start('sender', [
      'send',
      this.#tree,
      ...flags,
      ...swarm,
      ...code,
      ...this.#meet.send,
    ]);
    const shown = await this.#sender.until('code').catch((error) => {
      // The last had it from the one before, and this one was told to end before it was there.
      if (!this.#over) throw error;
    });
    if (shown) this.#code = String(shown.code);
  }

  /** One person, until it has the tree or has given up. */
  async #live(person: Person): Promise<void> {
    const { id, random } = person;
    // The first is there at once, some soon after, and some late.
    if (id > 0) await delay(Math.floor(random() ** 2 * 4000));
    for (let runs = 0; !person.done; runs++) {
      if (runs > MOST_RUNS) assert.fail(`Receiver ${id} does not come to an end.`);
      const command = this.#receive(person);
      const killed = await this.#perhapsKill(person, command);
      const ended = await within(PATIENCE_MS, command.exited);
      if (!ended) assert.fail(`Receiver ${id} does not end: ${last(command)}\n${last(this.#sender!)}`);
      this.#note(`receiver ${id} ended with ${ended.status} ${codeOf(ended) ?? ''}`);
      person.done = ended.status === 0;
      if (person.done) this.story.resumed += Number(ended.events.find(isDone)?.resumed ?? 0);
      else if (killed && person.givesUp) return this.#note(`receiver ${id} gives up`);
      else if (!killed && !this.#mayComeAgain(ended))
        assert.fail(`Receiver ${id} failed: ${last(command)}\n${ended.stderr.slice(-2000)}`);
      else if (!person.done) await delay(Math.floor(random() ** 2 * 1500));
    }
  }

  async #perhapsKill(person: Person, command: Command): Promise<boolean> {
    const { id, random } = person;
    if (person.kills === 0) return false;
    person.kills--;
    if (random() < 0.7) await command.until(transferring, PATIENCE_MS).catch(() => {});
    if (await within(Math.floor(random() ** 2 * 2500), command.exited)) return false;
    const signal = this.#pick(SIGNALS, random);
    this.#note(`${signal} to receiver ${id}`);
    this.story.kills++;
    command.signal(signal);
    person.killed = true;
    return true;
  }

  #receive({ id, to, flags }: Person): Command {
    this.#note(`receive ${id}`);
    const policy = ['--no-lan', '--update', '--yes', '--to', to, ...flags];
    return this.#start(`receiver-${id}`, ['receive', this.#code!, ...policy, ...this.#meet.receive]);
  }

  #start(name: string, args: string[]): Command {
    const env = {
      XDG_CONFIG_HOME: this.workspace.path('config', name),
      BEELINE_STATE_DIR: this.workspace.path('state', name),
      TMPDIR: this.workspace.path('tmp'),
    };
    return this.workspace.start(args, { env, deadline: 2 * PATIENCE_MS });
  }

  /** Nobody killed it: it may end only because as many have it as it waited for. */
  #justified(ended: Ended): void {
    assert.equal(ended.status, 0, `The sender ended: ${lastOf(ended.events)}\n${ended.stderr.slice(-2000)}`);
    assert.equal(ended.events.filter(hasIt).length, Number(this.#receivers), lastOf(ended.events));
  }

  #mayComeAgain(ended: Ended): boolean {
    const error = ended.events.find(({ event }) => event === 'error');
    if (SENDER_GONE.has(String(error?.reason))) return this.#killed !== undefined;
    return SERVED.has(String(error?.code));
  }

  async #endSender(): Promise<void> {
    const sender = this.#sender!;
    const counting = this.#receivers !== 'any';
    const early = !sender.events.some(({ event }) => event === 'code');
    // Whoever was killed after it was counted took a place of its own when it came again, or found everybody served.
    if (!counting) sender.signal('SIGINT');
    const ended = await within(PATIENCE_MS, sender.exited);
    if (!ended) assert.fail(`The sender does not end: ${last(sender)}`);
    if (counting) this.#justified(ended);
    // The last may have got all it needed as the sender was killed, or before a new one had begun.
    else if (sender !== this.#killed && !early)
      assert.ok([0, 130].includes(Number(ended.status)), `The sender: ${last(sender)}`);
  }

  #check(): void {
    const sent = snapshot(this.workspace.path('from'));
    for (const { id, to, done, killed } of this.#people) {
      if (!done) continue;
      assert.deepEqual(snapshot(to), sent, `receiver ${id} has the same`);
      assert.deepEqual(readdirSync(to), ['tree'], `nothing is left beside what receiver ${id} has`);
      for (const part of ['config', 'state']) {
        const files = filesIn(this.workspace.path(part, `receiver-${id}`));
        const strange = files.filter((file) => !KEPT.test(file) && !(killed && HALF.test(file)));
        assert.deepEqual(strange, [], `${part} of receiver ${id}`);
      }
    }
  }

  #pick<T>(list: readonly T[], random: Random): T {
    return list[Math.floor(random() * list.length)]!;
  }

  #note(what: string): void {
    this.story.lines.push(`${Math.round(performance.now() - this.#started)} ms: ${what}`);
  }
}

const transferring = (line: Line) => line.event === 'state' && line.to === 'transferring';
const isDone = (line: Line) => line.event === 'done';
/** One who had it before, and came once more, is not counted. */
const hasIt = (line: Line) => line.event === 'ended' && line.ok === true && line.again !== true;

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const all = readdirSync(folder, { recursive: true, withFileTypes: true });
  return all.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
}

function codeOf({ events }: Ended): string | undefined {
  const code = events.find(({ event }) => event === 'error')?.code;
  return code === undefined ? undefined : String(code);
}

const last = (command: Command) => lastOf(command.events);
const lastOf = (events: readonly Line[]) =>
  events
    .slice(-14)
    .map((line) => JSON.stringify(line))
    .join('\n');
