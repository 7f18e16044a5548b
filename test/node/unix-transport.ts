/**
 * A transport of the tests' own, over a Unix socket of this machine: all that is needed to add one. The product knows
 * nothing of it.
 */

import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type NodeTransport,
  type Path,
  type Surroundings,
  type Transport,
  tlsClient,
  tlsServer,
} from '../../src/transports/index.ts';

export function unixTransport(): NodeTransport {
  return {
    kind: 'unix',
    traits: { relayed: false, sort: 'stream', ownAddress: [], hides: false },
    make: (around) => new Unix(around),
  };
}

class Unix implements Transport {
  readonly #around: Surroundings;
  readonly #end = new AbortController();
  readonly #place = join(tmpdir(), `beeline-${randomBytes(6).toString('hex')}.sock`);
  #server: Server | undefined;
  #theirs: string | undefined;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** The sender listens, the receiver dials. */
  start(): void {
    if (this.#around.role === 'receiver') return this.#around.onChange();
    const server = createServer((socket) => void this.#accept(socket));
    server.listen(this.#place, () => {
      this.#server = server;
      this.#around.onChange();
    });
  }

  describe(): string | undefined {
    return this.#server && this.#place;
  }

  hear(theirs: unknown): void {
    // What a peer says may be anything.
    this.#theirs = typeof theirs === 'string' && theirs.length <= 100 ? theirs : undefined;
  }

  paths(): Path[] {
    const place = this.#theirs;
    if (place === undefined || this.#around.role === 'sender') return [];
    const { context, pin } = this.#around;
    const open = (signal: AbortSignal) =>
      tlsClient(connect(place), { ...this.#ends(signal), context }, pin());
    return [{ kind: 'unix', name: place, most: 4, open }];
  }

  close(): void {
    this.#end.abort();
    this.#server?.close();
    this.#server = undefined;
  }

  async #accept(socket: Socket): Promise<void> {
    const { context, onPipe } = this.#around;
    const over = { ...this.#ends(this.#end.signal), context };
    await tlsServer(socket, over).then(
      ({ pipe, fingerprint }) => onPipe(pipe, fingerprint),
      () => {},
    );
  }

  #ends(signal: AbortSignal) {
    return { kind: 'unix', local: this.#place, remote: this.#theirs ?? 'unknown', signal };
  }
}
