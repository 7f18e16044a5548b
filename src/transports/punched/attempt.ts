/**
 * Punching one TCP connection: connect() from a port whose mapping the peer knows, again and again, while the peer does
 * the same (RFC 5128, 3.4). Where the two SYNs cross, both ends open one connection (RFC 9293, 3.5). A SYN that comes
 * before its NAT has let one out is dropped (then ours stays, and the peer's answers it) or refused (then try again soon).
 */
import { connect, isIPv6, type Socket } from 'node:net';
import { setTimeout as setTimer } from 'node:timers/promises';
import { TokenBucket } from '../../base/bucket.ts';
import { fault } from '../../base/errors.ts';
import type { Address } from '../../wire/candidate.ts';
import type { PunchPort } from './punch-port.ts';

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

/** How often a session may try at all, whatever its peer asks for: so many at once, and so many a second after that. */
export class PunchBudget extends TokenBucket {
  static readonly most = 256;
  static readonly perSecond = 16;

  constructor() {
    super(PunchBudget.perSecond, PunchBudget.most);
  }
}

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
        await sleep(1000 * vary(), signal);
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
    return sleep(pause, signal);
  }

  #unblock(code: string): void {
    // Not every system lets a port be shared with the connection to the STUN server: the mapping outlives it for a while.
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
  return new Promise((resolve) => {
    const family = isIPv6(to.host) ? 6 : 4;
    const socket = connect({ host: to.host, port: to.port, localPort: local, family, noDelay: true });
    const settle = (outcome: Socket | string) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', expired);
      socket.removeListener('connect', connected);
      if (outcome !== socket) socket.destroy();
      resolve(outcome);
    };
    const expired = () => settle('TIMEOUT');
    const connected = () => settle(socket);
    const timer = setTimeout(expired, life);
    // Kept for the socket's whole life: an error that nobody listens for would end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? 'ERROR'));
    socket.once('connect', connected);
    signal.addEventListener('abort', expired);
  });
}

/** Or until the signal aborts. */
const sleep = (milliseconds: number, signal: AbortSignal) =>
  setTimer(milliseconds, undefined, { signal }).catch(() => {});

/** 0.5 to 1.5 */
function vary(): number {
  return 0.5 + Math.random();
}
