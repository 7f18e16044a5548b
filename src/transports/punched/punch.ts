/**
 * Punching one TCP connection: connect() from a port whose mapping the peer knows, again and again, while the peer does
 * the same (RFC 5128, 3.4). Where the two SYNs cross, both ends open one connection (RFC 9293, 3.5). A SYN that comes
 * before its NAT has let one out is dropped (then ours stays, and the peer's answers it) or refused (then try again soon).
 */
import { connect, isIPv6, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { realClock, sleep, withDeadline } from '../../base/clock.ts';
import { asBeelineError, fault } from '../../base/errors.ts';
import { opening, type Pipe } from '../../secure/pipe.ts';
import { type Over, tlsClient, tlsServer } from '../../secure/tls.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import { type PunchBudget, type PunchPort, type PunchPorts, pairs } from './ports.ts';

/**
 * Milliseconds that one SYN and its retransmission (after 1 s, RFC 6298, 2.1) may take: a socket given up earlier would
 * answer the peer's late SYN with a reset. Varied, so that two sides whose tries exclude each other do not stay in step.
 */
const TRY_LIFE = 2500;
/** Milliseconds from a refusal to the next try: from a few, growing, since the peer may begin much later, to these. */
const FIRST_PAUSE = 5;
const MAX_PAUSE = 300;
const PAUSE_GROWTH = 1.12;
/** A port that its own kernel will not let out to the peer for so many tries is stuck in an old connection. */
const STUCK_AFTER = 5;

/** Tries from one port to one address; refusals make the next wait longer. */
export class Puncher {
  readonly #port: PunchPort;
  readonly #to: Address;
  readonly #budget: PunchBudget;
  #pause = FIRST_PAUSE;
  #stuck = 0;

  constructor(port: PunchPort, to: Address, budget: PunchBudget) {
    this.#port = port;
    this.#to = to;
    this.#budget = budget;
  }

  /** May be called again when the connection proved no good. @throws BeelineError NO_PATH once the signal is aborted. */
  async next(signal: AbortSignal): Promise<Socket> {
    while (!signal.aborted) {
      if (!this.#budget.take()) {
        await rest(1000 * vary(), signal);
        continue;
      }
      const began = performance.now();
      const outcome = await tryOnce(this.#port.local, this.#to, TRY_LIFE * vary(), signal);
      if (typeof outcome !== 'string') return outcome;
      this.#unblock(outcome);
      if (outcome !== 'TIMEOUT') await this.rest(performance.now() - began, signal);
    }
    throw fault('LANE_OUTPACED');
  }

  /** @param took milliseconds until the refusal: about the round trip, and the window in which two SYNs can cross */
  rest(took: number, signal: AbortSignal): Promise<void> {
    const pause = Math.min(MAX_PAUSE, Math.max(this.#pause, took)) * vary();
    this.#pause = Math.min(MAX_PAUSE, this.#pause * PAUSE_GROWTH);
    return rest(pause, signal);
  }

  #unblock(code: string): void {
    // Some systems let no port be shared with the connection to the STUN server. The mapping lives on for a while without that.
    if (code === 'EADDRINUSE') this.#port.letGo();
    // An old connection between the same two ports is not over here (RFC 9293, 3.6.1: TIME-WAIT). The peer's tries
    // mostly end it; if not, another local port will do.
    this.#stuck = code === 'EADDRNOTAVAIL' || code === 'EADDRINUSE' ? this.#stuck + 1 : 0;
    if (this.#stuck < STUCK_AFTER) return;
    this.#stuck = 0;
    this.#port.renew();
  }
}

/** @returns the connection, or why there is none: 'TIMEOUT' or the system's error code */
function tryOnce(local: number, to: Address, life: number, signal: AbortSignal): Promise<Socket | string> {
  const family = isIPv6(to.host) ? 6 : 4;
  const socket = connect({ host: to.host, port: to.port, localPort: local, family, noDelay: true });
  const outcome = new Promise<Socket | string>((resolve) => {
    // Kept for the socket's whole life: an error that nobody listens for would end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'ERROR'));
    socket.once('connect', () => resolve(socket));
  });
  const late = () => new Error('TIMEOUT');
  return withDeadline(realClock, signal, life, late, () => outcome).catch(() => {
    socket.destroy();
    return 'TIMEOUT';
  });
}

/** Or until the signal is aborted. */
const rest = (ms: number, signal: AbortSignal) => sleep(realClock, ms, signal).catch(() => {});

/** 0.5 to 1.5 */
function vary(): number {
  return 0.5 + Math.random();
}

/** Does this side's half of TLS. @throws BeelineError AUTHENTICATION if it is certainly not the peer */
export type SecurePunched = (socket: Socket, over: Over) => Promise<{ pipe: Pipe; fingerprint?: string }>;

interface Punch {
  port: PunchPort;
  to: Address;
  budget: PunchBudget;
  context: SecureContext;
  secure: SecurePunched;
}

export interface Punched {
  pipe: Pipe;
  /** Hex SHA-256 of the peer's certificate; empty where `secure` does not tell. */
  fingerprint: string;
  /** Resolves when the connection is gone and its port may be used again. */
  closed: Promise<void>;
}

/** @throws BeelineError NO_PATH, TIMEOUT or AUTHENTICATION within LANE_OPEN_DEADLINE; nothing is left open then. */
export async function punch(
  { port, to, budget, context, secure }: Punch,
  signal: AbortSignal,
): Promise<Punched> {
  if (!port.take()) throw fault('PORT_CARRIES_LANE', { port: port.local });
  const remote = formatAddress(to);
  const puncher = new Puncher(port, to, budget);
  const tries = async (signal: AbortSignal): Promise<Punched> => {
    for (;;) {
      const socket = await puncher.next(signal);
      const local = formatAddress({ host: socket.localAddress ?? '?', port: port.local });
      try {
        const over: Over = { kind: 'punched', local, remote, context, signal };
        const { pipe, fingerprint = '' } = await secure(socket, over);
        return { pipe: resetting(pipe, socket), fingerprint, closed: freed(socket, port) };
      } catch (thrown) {
        // The peer may have closed its end just when ours opened. It tries again too.
        const error = asBeelineError(thrown);
        if (error.code === 'AUTHENTICATION' || signal.aborted) throw error;
        await puncher.rest(0, signal);
      }
    }
  };
  return opening({ kind: 'punched', remote }, signal, tries).catch((error) => {
    port.release();
    throw error;
  });
}

function freed(socket: Socket, port: PunchPort): Promise<void> {
  return new Promise((resolve) => {
    const free = () => {
      port.release();
      resolve();
    };
    if (socket.destroyed) free();
    else socket.once('close', free);
  });
}

/** A failed lane is reset. Otherwise its connection would linger for minutes, and the two ports could not connect again. */
function resetting(pipe: Pipe, socket: Socket): Pipe {
  return {
    ...pipe,
    destroy(error) {
      if (error && !socket.destroyed) socket.resetAndDestroy();
      pipe.destroy(error);
    },
  };
}

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
      const secure: SecurePunched = async (socket, over) => ({ pipe: await tlsClient(socket, over, pin()) });
      return (await punch({ port, to, budget: ports.budget, context, secure }, signal)).pipe;
    },
  }));
}

interface PunchListenerOptions {
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

  /** The peer tries now, from these addresses. A port with a lane is left alone. A port that is trying goes on for longer. */
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
    const secure: SecurePunched = (socket, over) => tlsServer(socket, over);
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
