/** Two UDP agents in one process, on loopback, and what their callbacks said. */
import { randomBytes } from 'node:crypto';
import { makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import type { Path } from '../../src/transports/path.ts';
import { openUdp, type UdpAgent } from '../../src/transports/udx/agent.ts';
import type { Address } from '../../src/wire/candidate.ts';

/** Milliseconds within which anything here comes about. */
const DEADLINE = 60_000;
export const certificates = Promise.all([makeCertificate(), makeCertificate()]).then(
  ([sender, receiver]) => ({ sender, receiver }),
);

const open = new Set<Side>();

/** After each test: an agent left open would keep the process. */
export async function closeAll(): Promise<void> {
  await Promise.all([...open].map(({ agent }) => agent?.close()));
  open.clear();
}

export class Side {
  /** Set by `open`, before anything can happen. */
  agent!: UdpAgent;
  readonly password = randomBytes(16).toString('hex');
  readonly paths: (Path | undefined)[] = [];
  readonly pipes: Pipe[] = [];
  readonly fingerprints: string[] = [];

  static async open(role: 'sender' | 'receiver', pin?: string): Promise<Side> {
    const side = new Side();
    open.add(side);
    const { cert, key } = (await certificates)[role];
    const { fingerprint } = (await certificates).sender;
    side.agent = await openUdp({
      role,
      context: laneContext(cert, key),
      pin: () => pin ?? fingerprint,
      password: side.password,
      onPath: (path) => side.paths.push(path),
      onPipe: (pipe, print) => {
        side.pipes.push(pipe);
        side.fingerprints.push(print);
      },
    });
    return side;
  }

  get path(): Path | undefined {
    return this.paths.at(-1);
  }

  at(host: string): Address {
    return { host, port: this.agent.port };
  }

  knows(other: Side, hosts = ['127.0.0.1'], password = other.password): void {
    this.agent.peer({ candidates: hosts.map((host) => other.at(host)), password, symmetric: false });
  }
}

/** Waits until it holds, within DEADLINE. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${DEADLINE} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A sender and a receiver who have found each other. */
export async function connected(hosts = ['127.0.0.1']): Promise<{ sender: Side; receiver: Side }> {
  const [sender, receiver] = await Promise.all([Side.open('sender'), Side.open('receiver')]);
  sender.knows(receiver, hosts);
  receiver.knows(sender, hosts);
  await until('a path', () => receiver.path !== undefined);
  return { sender, receiver };
}

/** A lane from the receiver to the sender, both ends. */
export async function lane(sender: Side, receiver: Side): Promise<[Pipe, Pipe]> {
  const before = sender.pipes.length;
  const ours = await receiver.path!.open(new AbortController().signal);
  await until('the other end', () => sender.pipes.length > before);
  return [sender.pipes.at(-1)!, ours];
}
