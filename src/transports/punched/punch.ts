/** Punched lanes: both sides' halves. Each pair of ports carries one connection at a time. */
import type { SecureContext } from 'node:tls';
import type { Pipe } from '../../secure/pipe.ts';
import { tlsClient, tlsServer } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import type { PunchPort } from './punch-port.ts';
import { type PunchPorts, pairs } from './punch-ports.ts';
import { punch, type Secure } from './punched.ts';

/**
 * The receiver's half: a path for each pair of ports, which opens while the sender's listener tries too.
 * @param pin hex SHA-256 of the peer's certificate, asked for when a connection is there
 */
export function punchPath(
  ports: PunchPorts,
  peer: readonly Address[],
  context: SecureContext,
  pin: () => string,
): Path[] {
  return pairs(ports, peer).map(({ port, to }) => ({
    kind: 'punched',
    name: `${port.local} to ${formatAddress(to)}`,
    most: 1,
    async open(signal) {
      const secure: Secure = async (socket, over) => ({ pipe: await tlsClient(socket, over, pin()) });
      return (await punch({ port, to, budget: ports.budget, context, secure }, signal)).pipe;
    },
  }));
}

export interface PunchListenerOptions {
  ports: PunchPorts;
  context: SecureContext;
  /** A peer proved to hold the certificate with this fingerprint; keep the pipe or destroy it. */
  onPipe: (pipe: Pipe, fingerprint: string) => void;
}

interface Round {
  to: Address;
  stop: AbortController;
  /** A lane is up. */
  live: boolean;
  /** The peer asked again while this was trying. */
  again: boolean;
}

/** The sender's half: tries for LANE_OPEN_DEADLINE after each hello, and again when a lane that it made is gone. */
export class PunchListener {
  readonly #options: PunchListenerOptions;
  readonly #rounds = new Map<PunchPort, Round>();
  #closed = false;

  constructor(options: PunchListenerOptions) {
    this.#options = options;
  }

  /** The peer tries now, from these addresses. A port with a lane is left alone; one that is trying goes on for longer. */
  attempt({ peer }: { peer: readonly Address[] }): void {
    if (this.#closed) return;
    for (const { port, to } of pairs(this.#options.ports, peer)) {
      const running = this.#rounds.get(port);
      if (running && (running.live || formatAddress(running.to) === formatAddress(to))) {
        running.to = to;
        running.again = true;
        continue;
      }
      running?.stop.abort();
      const round = { to, stop: new AbortController(), live: false, again: false };
      this.#rounds.set(port, round);
      void this.#round(port, round).finally(() => {
        if (this.#rounds.get(port) === round) this.#rounds.delete(port);
      });
    }
  }

  /** Ends what is being tried. Lanes that are open stay. */
  close(): void {
    this.#closed = true;
    for (const { stop } of this.#rounds.values()) stop.abort();
  }

  async #round(port: PunchPort, round: Round): Promise<void> {
    const { ports, context, onPipe } = this.#options;
    const secure: Secure = (socket, over) => tlsServer(socket, over);
    do {
      round.again = false;
      const target = { port, to: round.to, budget: ports.budget, context, secure };
      const punched = await punch(target, round.stop.signal).catch(() => undefined);
      if (!punched) continue;
      round.live = true;
      onPipe(punched.pipe, punched.fingerprint);
      await punched.closed;
      round.live = false;
      round.again = true;
    } while (round.again && !round.stop.signal.aborted);
  }
}
