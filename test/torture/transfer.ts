/** One transfer by the real command whose processes are killed again and again, until it is there all the same. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, within } from '../integration/command.ts';
import { snapshot } from '../integration/tree.ts';
import { Workspace } from '../integration/workspace.ts';
import { freePort } from '../ports.ts';
import { randomFrom } from '../seed.ts';
import { type Story, told } from './story.ts';
import { change, plant } from './tree.ts';

export type Victim = 'receiver' | 'sender' | 'both' | 'server' | 'nobody';
const VICTIMS: readonly Victim[] = [
  'receiver',
  'sender',
  'both',
  'server',
  'receiver',
  'both',
  'sender',
  'nobody',
];
const SIGNALS: readonly NodeJS.Signals[] = ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGINT', 'SIGTERM'];
/** Kills of one transfer; after them it is let run. */
const MOST_KILLS = 4;
/** Runs of either side; more means that it does not come to an end. */
const MOST_RUNS = 12;
/** Milliseconds. */
const PATIENCE = 90_000;

/** @throws AssertionError if the tree is not the same at the end, or anything is left beside it */
export function tortureOne(seed: number): Promise<Story> {
  return told(`seed ${seed}`, new Torture(seed));
}

class Torture {
  readonly workspace = new Workspace();
  readonly story: Story = { lines: [], kills: 0, resumed: 0 };
  readonly #random: () => number;
  readonly #started = performance.now();
  readonly #tree: string;
  readonly #to: string;
  readonly #limit: string;
  readonly #byServer: boolean;
  #server: { command: Command; port: number } | undefined;
  #port = 0;
  #code = '';
  #sender: Command | undefined;
  #receiver: Command | undefined;
  #runs = 0;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
    this.#tree = this.workspace.folder('from', 'tree');
    this.#to = this.workspace.path('to');
    plant(this.#tree, this.#random);
    this.#limit = String(Math.floor(4e6 + this.#random() * 60e6));
    this.#byServer = this.#random() < 0.4;
  }

  async run(): Promise<void> {
    if (this.#byServer) await this.#startServer(await freePort());
    for (let arrived = false; !arrived; ) {
      await this.#startBoth();
      arrived = await this.#bout();
    }
    await this.#check();
  }

  /** Waits for the receiver, and perhaps kills somebody meanwhile. True once it is done. */
  async #bout(): Promise<boolean> {
    const receiver = this.#receiver!;
    if (this.story.kills < MOST_KILLS) {
      const victim = VICTIMS[Math.floor(this.#random() * VICTIMS.length)]!;
      if (this.#random() < 0.7)
        await within(
          10_000,
          receiver.until(transferring).catch(() => {}),
        );
      await within(Math.floor(this.#random() ** 2 * 1500), receiver.exited);
      await this.#kill(victim);
    }
    const ended = await within(PATIENCE, receiver.exited);
    if (!ended) assert.fail(`The receiver does not end: ${this.#last(receiver)}`);
    this.#note(`receiver ended with ${ended.status}`);
    this.#receiver = undefined;
    const done = ended.events.find((line) => line.event === 'done');
    this.story.resumed += Number(done?.resumed ?? 0);
    return ended.status === 0;
  }

  async #kill(victim: Victim): Promise<void> {
    if (victim === 'nobody') return;
    this.story.kills++;
    const signal = SIGNALS[Math.floor(this.#random() * SIGNALS.length)]!;
    this.#note(`${signal} to ${victim}`);
    if (victim === 'server' && this.#server) {
      const { command, port } = this.#server;
      await command.kill();
      if (this.#random() < 0.5) await delay(200);
      return this.#startServer(port);
    }
    const sender = victim === 'sender' || victim === 'both';
    if (sender) this.#sender?.signal(signal);
    // Without its sender a receiver would wait for an hour, as it should: the person who sees that ends it.
    this.#receiver?.signal(sender && victim === 'sender' ? 'SIGINT' : signal);
    if (sender) {
      await this.#sender?.exited;
      this.#sender = undefined;
      // At rest between two sends, the tree may change.
      const ended = await this.#receiver?.exited;
      if (ended?.status !== 0 && this.#random() < 0.3) {
        change(this.#tree, this.#random);
        this.#note('the tree changed');
      }
    }
  }

  async #startBoth(): Promise<void> {
    if (this.#runs++ > MOST_RUNS) assert.fail('It does not come to an end.');
    const ended = this.#sender && (await within(0, this.#sender.exited));
    if (ended) this.#note(`the sender had ended with ${ended.status}`);
    if (!this.#sender || ended) await this.#startSender();
    const meet = this.#byServer ? ['--server', this.#url()] : ['--at', `127.0.0.1:${this.#port}`];
    const policy = ['--update', '--yes', '--to', this.#to];
    this.#note('receive');
    this.#receiver = this.workspace.start(['receive', this.#code, '--no-lan', ...meet, ...policy]);
  }

  async #startSender(): Promise<void> {
    this.#port = await freePort();
    const meet = this.#byServer ? ['--server', this.#url()] : ['--port', String(this.#port)];
    this.#note('send');
    this.#sender = this.workspace.start(['send', this.#tree, '--no-lan', '--limit', this.#limit, ...meet]);
    this.#code = String((await this.#sender.until('code')).code);
  }

  async #startServer(port: number): Promise<void> {
    const command = this.workspace.start(['server', '--port', String(port), '--host', '127.0.0.1']);
    await command.until('listening');
    this.#server = { command, port };
  }

  #url(): string {
    return `ws://127.0.0.1:${this.#server!.port}`;
  }

  async #check(): Promise<void> {
    const sent = this.#sender && (await within(PATIENCE, this.#sender.exited));
    if (this.#sender) assert.equal(sent?.status, 0, `The sender: ${this.#last(this.#sender)}`);
    assert.deepEqual(snapshot(this.#to), snapshot(this.workspace.path('from')));
    assert.deepEqual(readdirSync(this.#to), ['tree'], 'nothing is left beside it');
  }

  #last(command: Command): string {
    return command.events
      .slice(-12)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }

  #note(what: string): void {
    this.story.lines.push(`${Math.round(performance.now() - this.#started)} ms: ${what}`);
  }
}

function transferring(line: { event: string; to?: unknown }): boolean {
  return line.event === 'state' && line.to === 'transferring';
}
