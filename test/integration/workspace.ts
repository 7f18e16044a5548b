/** A test's own folder and processes, both gone when the test ends, and the usual pair of commands. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { unfinished } from '../../src/index.ts';
import { freePort } from '../ports.ts';
import { Command, type Ended, type Line, type StartOptions } from './command.ts';

/** What both sides of a finished pair have said. */
export interface Delivered {
  sent: Ended;
  received: Ended;
  sender: Command;
  receiver: Command;
  /** Hex, the same on both sides. */
  root: string;
}

export interface PairOptions {
  send?: readonly string[];
  receive?: readonly string[];
  sender?: StartOptions;
  receiver?: StartOptions;
  /** Address for `--at`; default 127.0.0.1. */
  host?: string;
  /** Exit statuses; default 0 and 0. */
  statuses?: readonly [number, number];
}

export class Workspace {
  readonly dir = mkdtempSync(join(tmpdir(), 'beeline-test-'));
  readonly #commands: Command[] = [];

  /** A path in the test's folder. */
  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  /** A new folder in the test's folder. */
  folder(...parts: string[]): string {
    const path = this.path(...parts);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Starts the command with folders of this test's own for configuration and receipts. */
  start(args: readonly string[], options: StartOptions = {}): Command {
    const env = {
      XDG_CONFIG_HOME: this.path('config'),
      BEELINE_STATE_DIR: this.path('state'),
      ...options.env,
    };
    const command = new Command(args, { ...options, env });
    this.#commands.push(command);
    return command;
  }

  /** What each command said last, for a test that failed. */
  account(): string {
    return this.#commands.map((command) => command.account()).join('\n');
  }

  /** Starts a sender that can be met at `127.0.0.1:port` only, and waits for its code. */
  async sender(
    args: readonly string[],
    options: StartOptions = {},
  ): Promise<{ sender: Command; code: string; port: number }> {
    const port = await freePort();
    const sender = this.start(['send', ...args, '--no-lan', '--port', String(port)], options);
    const { code } = await sender.until('code');
    assert.equal(typeof code, 'string');
    return { sender, code: String(code), port };
  }

  /** Starts a receiver for `code` that looks at `host:port` only. */
  receiver(
    code: string,
    port: number,
    args: readonly string[],
    options: StartOptions = {},
    host = '127.0.0.1',
  ): Command {
    const at = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    return this.start(['receive', code, '--at', at, '--no-lan', '--yes', ...args], options);
  }

  /** Sends `args` to the folder `out`, both as commands, and asserts the statuses and (when 0) equal roots. */
  async deliver(args: readonly string[], options: PairOptions = {}): Promise<Delivered> {
    const { sender, code, port } = await this.sender([...args, ...(options.send ?? [])], options.sender);
    const to = options.receive?.includes('--to') ? [] : ['--to', this.folder('out')];
    const receiver = this.receiver(
      code,
      port,
      [...to, ...(options.receive ?? [])],
      options.receiver,
      options.host,
    );
    const [sendStatus, receiveStatus] = options.statuses ?? [0, 0];
    const received = await receiver.ends(receiveStatus);
    const sent = await sender.ends(sendStatus);
    const root = sendStatus === 0 ? String(event(sent, 'done').root) : '';
    if (sendStatus === 0 && receiveStatus === 0 && options.receiver?.json !== false) {
      assert.match(root, /^[0-9a-f]{64}$/);
      assert.equal(event(received, 'done').root, root);
    }
    return { sent, received, sender, receiver, root };
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#commands.map((command) => command.kill()));
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** A workspace that ends with the test. */
export function workspace(t: TestContext): Workspace {
  const made = new Workspace();
  t.after(() => made.dispose());
  return made;
}

/** The one event of a kind; fails when there is none. */
export function event(ended: Ended, name: string): Line {
  const found = ended.events.find((line) => line.event === name);
  assert.ok(
    found,
    `no ${name} event among ${ended.events.map((line) => line.event).join(' ')}\n${ended.stderr}`,
  );
  return found;
}

/** The code of the error event. */
export function errorCode(ended: Ended): unknown {
  return event(ended, 'error').code;
}

/** Waits until some of what is received into a folder is certainly down: what is said to have come can still be lost. */
export async function journaled(folder: string): Promise<void> {
  for (const end = Date.now() + 60_000; !(await unfinished(folder))[0]?.transfer?.here; await delay(25))
    assert.ok(Date.now() < end, `Nothing was journaled in ${folder}.`);
}

/** Resolves once something listens at the port: a sender without a code shows none when it is ready. */
export async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const there = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (there) return;
    await delay(100);
  }
  assert.fail(`Nothing listens at port ${port}.`);
}
