/** UDX over this side's UDP port, if the machine can have one. Addresses are checked as in ICE before use. */

import { randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { Alarm, realClock } from '../../base/clock.ts';
import { hex } from '../../base/json.ts';
import type { SeenMapping } from '../../nat/ice/gather.ts';
import type { Address } from '../../wire/candidate.ts';
import type { Path } from '../path.ts';
import type { NodeTransport, Surroundings } from '../surroundings.ts';
import { ADDRESSES, type Transport, understood, written } from '../transport.ts';
import { openUdp, type UdpAgent, type UdpPeer } from './agent.ts';

export const udx: NodeTransport = {
  kind: 'udx',
  traits: { relayed: false, sort: 'datagram', ownAddress: [], hides: false },
  make: (around) => new Udx(around),
};

/** What crosses. */
interface Description {
  /** Local, reflexive and mapped addresses of the port: checked before use. */
  at: string[];
  /** The key of checks sent to it: 32 hex digits (RFC 8489's short-term credential). */
  password: string;
  /** Its NAT gives each destination another port, so the other side cannot use the address that is known. */
  symmetric: boolean;
}

/**
 * Milliseconds from the peer's hello until the port is opened where no server is met at. TCP has a lane by then if the two are near,
 * and a short transfer is over: to load the native part and to check addresses would be a large part of its CPU.
 */
const BEGIN_MS = 250;
/** The same where such a lane is there by then, to which UDP adds nothing that a transfer of a second or two could use. */
const BEGIN_NEAR_MS = 2_000;

const UNKNOWN: SeenMapping = { reflexive: [], symmetric: false };

export class Udx implements Transport {
  readonly #around: Surroundings;
  #agent: UdpAgent | undefined;
  #password = '';
  #mapping = UNKNOWN;
  #forwarded: Address | undefined;
  #servers: readonly Address[] = [];
  #nodes: () => readonly Address[] = () => [];
  #peer: UdpPeer | undefined;
  #path: Path | undefined;
  readonly #begin = new Alarm(realClock);
  #started = false;
  /** The peer has said where it is. */
  #heard = false;
  /** Counts openings. If a later one has begun, an earlier one leaves the port to it. */
  #openings = 0;
  #over = false;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  start(): void {
    this.#started = true;
    this.#beginSoon();
  }

  /** Only through a server may nothing but UDP lead to the peer, and it takes time to learn how the world sees a port. */
  meet(): void {
    if (this.#started && this.#openings === 0) void this.open();
  }

  describe(): Description | undefined {
    const port = this.#agent?.port;
    if (port === undefined) return undefined;
    const own = this.#around.hosts().map((host) => ({ host, port }));
    const all = [...own, ...this.#mapping.reflexive, ...(this.#forwarded ? [this.#forwarded] : [])];
    return { at: written(all), password: this.#password, symmetric: this.#mapping.symmetric };
  }

  hear(theirs: unknown): void {
    this.#heard = true;
    this.#beginSoon();
    if (theirs === undefined) return;
    this.#peer = decode(theirs);
    this.#agent?.peer(this.#peer);
  }

  /** Receiver: the way that was checked. */
  paths(): Path[] {
    return this.#path ? [this.#path] : [];
  }

  seen(): string[] {
    return this.#mapping.reflexive.map(({ host }) => host);
  }

  port() {
    const port = this.#agent?.port;
    return port === undefined ? undefined : ({ protocol: 'udp', port } as const);
  }

  forwarded(address: Address | undefined): void {
    this.#forwarded = address;
  }

  /** Asks these how they see the port. */
  ask(servers: readonly Address[]): void {
    this.#servers = servers;
    this.#gather();
  }

  /** As at a server, nothing but UDP may lead to the peer. */
  observed(nodes: () => readonly Address[]): void {
    this.#nodes = nodes;
    this.meet();
    this.#gather();
  }

  /** Once moved, the port is given up for another, since routers still connect the old one to an address that is gone. */
  again(moved: boolean): void {
    if (moved && this.#openings > 0) void this.open();
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#begin.clear();
    await this.#agent?.close();
  }

  /** Opens a port, in place of the one before. Never rejects: where UDP cannot be had, the others do without. */
  async open(): Promise<void> {
    this.#begin.clear();
    const opening = ++this.#openings;
    const overtaken = () => this.#over || opening !== this.#openings;
    const before = this.#agent;
    this.#agent = undefined;
    this.#path = undefined;
    this.#forwarded = undefined;
    const { role, context, pin, onPipe, onChange, log } = this.#around;
    if (before) onChange();
    // Closed first, so that its entry in the router's table does not block the next port.
    await before?.close();
    if (overtaken()) return;
    const password = randomBytes(16).toString('hex');
    const onMapping = (mapping: SeenMapping) => {
      this.#mapping = mapping;
      onChange();
    };
    const onPath = (path: Path | undefined) => {
      if (overtaken()) return;
      this.#path = path;
      this.#around.onPaths();
    };
    const options = { role, context, pin, password, onPath, onPipe, onMapping, ...(log && { log }) };
    const agent = await openUdp(options).catch(
      (error: Error) => void log?.info({ reason: error.message }, 'no UDP lanes'),
    );
    if (overtaken()) return void agent?.close();
    this.#agent = agent;
    this.#password = password;
    this.#mapping = UNKNOWN;
    this.#gather();
    if (this.#peer) agent?.peer(this.#peer);
    onChange();
  }

  #beginSoon(): void {
    const due = this.#started && this.#heard && this.#openings === 0 && !this.#begin.waits && !this.#over;
    if (!due) return;
    this.#begin.set(BEGIN_MS, () => {
      if (this.#around.near?.()) this.#begin.set(BEGIN_NEAR_MS - BEGIN_MS, () => void this.open());
      else void this.open();
    });
  }

  #gather(): void {
    const agent = this.#agent;
    const nodes = this.#nodes().map((node) => ({ ...node, dht: true as const }));
    const asked = [...this.#servers, ...nodes];
    if (!agent || asked.length === 0) return;
    void agent.gather(asked).then((mapping) => {
      if (this.#agent !== agent) return;
      this.#mapping = mapping;
      this.#around.onChange();
    });
  }
}

const DESCRIPTION = v.object({ at: ADDRESSES, password: hex(16), symmetric: v.boolean() });

/** @throws BeelineError PROTOCOL */
function decode(theirs: unknown): UdpPeer {
  const { at, ...rest } = understood(DESCRIPTION, theirs);
  return { candidates: at, ...rest };
}
