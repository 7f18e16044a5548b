/** Programs of these tests that run on the lab's machines: JSON commands in, JSON events out. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { LabHost } from '../../lab/network.ts';
import { type ChildModule, childModule } from '../child.ts';

/** Ports of the STUN server. */
export const STUN = ['7001', '7002'] as const;
/** Milliseconds for one event: longer than any deadline in the program. */
const EVENT_DEADLINE = 90_000;

const PEER = childModule('test/lab/punch-peer.ts');

export type Event = Record<string, unknown> & { event: string };

/** A program beside this file. */
export class LabProgram {
  readonly #child: ChildProcess;
  readonly #events: Event[] = [];
  #wake: () => void = () => {};

  constructor(host: LabHost, { node, path }: ChildModule, ...args: string[]) {
    const [word, ...words] = [...host.prefix, process.execPath, ...node, path, ...args];
    this.#child = spawn(word!, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.#events.push(JSON.parse(line));
      this.#wake();
    });
    this.#child.on('exit', () => this.#wake());
  }

  tell(command: object): void {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  /** The next event with this name; those before it are dropped. */
  async next(event: string): Promise<Event> {
    return (await this.until(event)).at(-1)!;
  }

  /** All events up to the first with this name. */
  async until(event: string): Promise<Event[]> {
    const end = Date.now() + EVENT_DEADLINE;
    for (;;) {
      const at = this.#events.findIndex((each) => each.event === event);
      if (at >= 0) return this.#events.splice(0, at + 1);
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`the peer ended before '${event}'`);
      if (Date.now() > end) throw new Error(`no '${event}', only ${JSON.stringify(this.#events)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Tells it to end. */
  end(): void {
    this.#child.stdin!.end();
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await exited;
    clearTimeout(timer);
  }
}

/** A side of a punched session, or the STUN server between two. */
export class PunchPeer extends LabProgram {
  static async stun(host: LabHost): Promise<PunchPeer> {
    const server = new PunchPeer(host, PEER, 'stun', ...STUN);
    await server.next('stun');
    return server;
  }

  static side(host: LabHost, role: 'sender' | 'receiver', server: string, count = 4): PunchPeer {
    return new PunchPeer(host, PEER, role, server, ...STUN, String(count));
  }
}
