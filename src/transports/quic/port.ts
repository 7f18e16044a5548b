/**
 * Connections to a UDP port of ours. Anybody may begin one, so few are in the handshake at once, and few wait after it to become a lane,
 * which only the peer's can: the handshake proves whose key it is.
 */
import { addressKey } from '../../base/addresses.ts';
import { realClock, withDeadline } from '../../base/clock.ts';
import { fault } from '../../base/errors.ts';
import { LANE_OPEN_DEADLINE } from '../../base/limits.ts';
import { Room } from '../../base/room.ts';
import { localAddress } from '../../nat/ice/address.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { type Engine, endOf, type NativeConnection, type NativeServer } from './engine.ts';
import { QuicPipe } from './pipe.ts';

/** Connections of one port in the handshake. That of one that falls silent is over after IDLE_MS. */
const SHAKING = 16;
/** Those that have done it and are not lanes yet. If they are too many, the oldest of the busiest address is closed for a new one. */
const UNPROVEN = { inAll: 32, ofAddress: 16 };
/** What the dialler sends first, since a stream shows with its first byte alone. */
export const FIRST = Uint8Array.of(1);

interface PortOptions {
  /** The key of whoever may come in, once it is known, and what else the peer is known by. Rejects when the signal is aborted. */
  peer(signal: AbortSignal): Promise<{ id: string; fingerprint: string }>;
  onPipe(pipe: QuicPipe, fingerprint: string): void;
  /** Nothing came of one. */
  onFailure(remote: string, error: unknown): void;
}

export class QuicPort {
  readonly port: number;
  readonly #server: NativeServer;
  readonly #options: PortOptions;
  readonly #end = new AbortController();
  readonly #unproven = new Room<AbortController>(UNPROVEN, 'oldest', (control) => control.abort());

  /** @param port 0: any. Throws if it is taken, or the machine has no such addresses. */
  constructor(engine: Engine, host: string, port: number, options: PortOptions) {
    this.#server = engine.listen(host, port);
    this.#options = options;
    this.port = this.#server.port();
    for (let i = 0; i < SHAKING; i++) void this.#take();
  }

  /** Ends its lanes too. */
  async close(): Promise<void> {
    this.#end.abort();
    for (const control of this.#unproven) control.abort();
    await this.#server.abort();
  }

  async #take(): Promise<void> {
    while (!this.#end.signal.aborted) {
      try {
        void this.#prove(await this.#server.inboundConnection());
      } catch {
        // The handshake failed. Or there is no server any more: then this must not keep the process busy.
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    }
  }

  async #prove(connection: NativeConnection): Promise<void> {
    const { id, ...from } = endOf(connection);
    const remote = formatAddress(from);
    const control = new AbortController();
    if (!this.#unproven.enter(addressKey(from.host), control)) return connection.abort();
    const late = () => fault('LANE_LATE', { remote, kind: 'quic' });
    try {
      const work = (signal: AbortSignal) => this.#proven(connection, { ...from, remote, id }, signal);
      const { pipe, fingerprint } = await withDeadline(
        realClock,
        control.signal,
        LANE_OPEN_DEADLINE,
        late,
        work,
      );
      this.#options.onPipe(pipe, fingerprint);
    } catch (thrown) {
      connection.abort();
      this.#options.onFailure(remote, thrown);
    } finally {
      this.#unproven.leave(control);
    }
  }

  async #proven(
    connection: NativeConnection,
    { id, remote, ...from }: Address & { id: string; remote: string },
    signal: AbortSignal,
  ): Promise<{ pipe: QuicPipe; fingerprint: string }> {
    const peer = await this.#options.peer(signal);
    if (id !== peer.id) throw fault('LANE_STRANGER', { what: 'its key is not the one agreed on' });
    const stream = await connection.inboundStream();
    const first = await stream.read(FIRST.length);
    if (first?.[0] !== FIRST[0]) throw fault('LANE_ENDED', { remote, kind: 'quic' });
    const local = await localAddress(from, this.port);
    return { pipe: new QuicPipe(connection, stream, { local, remote }), fingerprint: peer.fingerprint };
  }
}
