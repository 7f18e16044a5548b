/**
 * Guesses ports, to get through one symmetric NAT. Its mapping for the peer cannot be known. So the side behind it asks from
 * many sockets, each with a mapping of its own. The other side, behind a NAT that keeps its port, asks at random
 * ports of the first one's address. With 256 sockets one of 252 ports is right (the birthday paradox). One side alone would have to
 * try all.
 */

import { TokenBucket } from '../../base/bucket.ts';
import type { Address } from '../../wire/candidate.ts';
import { isNear } from './address.ts';
import type { Answered, Checks, UdpPort } from './checks.ts';

/** Sockets at once: file descriptors and a router's table bear them. */
const SOCKETS = 256;
/** Milliseconds between packets of either kind. */
const PACE = 4;
/** Milliseconds in which each socket asks once more: a NAT keeps an unanswered mapping for 30 s at least. */
const SOCKET_EVERY = 2_000;
/** Ports in a row, then a pause in milliseconds; and the number of rows. */
const PORTS = 1_500;
const PAUSE = 3_000;
const ROWS = 3;
/** Routers give out no port below this one for a mapping. */
const LOWEST_PORT = 1_024;
/** The peer's public addresses that are tried. */
const MAX_TARGETS = 2;
/** Packets at once, and a second afterwards. The addresses that a peer names may be a stranger's. */
const BURST = 6_000;
const RATE = 5;

interface BirthdayOptions {
  checks: Checks;
  main: UdpPort;
  /** @returns undefined when there are no more */
  open: () => UdpPort | undefined;
  answered: (socket: UdpPort, remote: Address, roundTrip: number) => void;
  /** It leads to the peer, and is not closed with the others. */
  kept: (socket: UdpPort) => boolean;
}

export class Birthday {
  readonly #options: BirthdayOptions;
  readonly #allowance = new TokenBucket(RATE, BURST);
  /** Made when they are first needed, which is seldom: that takes 20 ms. */
  #ports: Uint16Array | undefined;
  #at = 0;
  /** By their turn. */
  readonly #sockets = new Map<number, UdpPort>();
  #timer: NodeJS.Timeout | undefined;
  #started = 0;
  #sent = 0;

  constructor(options: BirthdayOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#timer !== undefined;
  }

  /** @param side 'sockets': we are behind the symmetric NAT. @param peer its addresses */
  start(side: 'sockets' | 'ports', peer: readonly Address[]): void {
    this.stop();
    const targets = peer.filter(({ host }) => !host.includes(':') && !isNear(host));
    const few = (side === 'ports' ? uniqueHosts(targets) : targets).slice(0, MAX_TARGETS);
    if (few.length === 0) return;
    this.#started = performance.now();
    this.#sent = 0;
    const probe = side === 'ports' ? () => this.#port(few) : () => this.#socket(few);
    this.#timer = setInterval(() => this.#tick(probe), PACE);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const socket of this.#sockets.values()) if (!this.#options.kept(socket)) socket.close();
    this.#sockets.clear();
  }

  /** As many as are due by the clock, since timers of a few milliseconds come late. */
  #tick(probe: () => boolean): void {
    const owed = Math.floor((performance.now() - this.#started) / PACE);
    const most = Math.min(owed, this.#sent + 16);
    // A machine that slept does not catch up.
    if (owed - most > 256) this.#started = performance.now() - most * PACE;
    while (this.#sent < most) {
      this.#sent++;
      if (!probe()) return;
    }
  }

  /** @returns false when the row, or all, is over */
  #port(targets: readonly Address[]): boolean {
    const row = PORTS + PAUSE / PACE;
    if (this.#sent > row * ROWS) return this.#over();
    if (this.#sent % row >= PORTS || !this.#allowance.take()) return true;
    const { host } = targets[this.#sent % targets.length]!;
    this.#ports ??= shuffledPorts();
    const port = this.#ports[this.#at++ % this.#ports.length]!;
    this.#ask(this.#options.main, { host, port });
    return true;
  }

  #socket(targets: readonly Address[]): boolean {
    const round = SOCKET_EVERY / PACE;
    // As long as the other side goes on.
    if (this.#sent > (PORTS + PAUSE / PACE) * ROWS) return this.#over();
    const index = this.#sent % round;
    if (index >= SOCKETS) return true;
    const socket = this.#sockets.get(index) ?? this.#options.open();
    if (!socket) return true;
    this.#sockets.set(index, socket);
    for (const target of targets) if (this.#allowance.take()) this.#ask(socket, target);
    return true;
  }

  #over(): boolean {
    this.stop();
    return false;
  }

  #ask(socket: UdpPort, to: Address): void {
    const answered: Answered = (answer, roundTrip) => {
      if (answer.class === 'success') this.#options.answered(socket, to, roundTrip);
    };
    this.#options.checks.ask(socket, to, [], answered);
  }
}

function uniqueHosts(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [address.host, address])).values()];
}

/** In random order, so that none is tried twice before all were. */
function shuffledPorts(): Uint16Array {
  const ports = Uint16Array.from({ length: 65_536 - LOWEST_PORT }, (_, i) => LOWEST_PORT + i);
  for (let i = ports.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [ports[i], ports[j]] = [ports[j]!, ports[i]!];
  }
  return ports;
}
