/** This side's UDP port, if the machine can have one: what is known of it, and lanes over it. */
import { randomBytes } from 'node:crypto';
import type { SecureContext } from 'node:tls';
import type { Mapping } from '../../lanes/ice/gather.ts';
import type { Path } from '../../lanes/path.ts';
import type { Pipe } from '../../lanes/pipe.ts';
import { openUdp } from '../../lanes/udx/agent.ts';
import type { UdpAgent } from '../../lanes/udx/api.ts';
import type { Address, Candidate } from '../../protocol/candidate.ts';
import type { Hello, UdpHello } from '../../protocol/signal.ts';
import type { Logger } from '../api.ts';

export interface UdpSideOptions {
  role: 'sender' | 'receiver';
  context: SecureContext;
  pin: () => string;
  onPipe: (pipe: Pipe, fingerprint: string) => void;
  /** Receiver: the way that was checked; undefined while there is none. */
  onPath: (path: Path | undefined) => void;
  /** The port, or what the world sees of it, is another. */
  onChange: () => void;
  log: Logger | undefined;
}

export class UdpSide {
  readonly #options: UdpSideOptions;
  #agent: UdpAgent | undefined;
  #password = '';
  #mapping: Mapping = { reflexive: [], symmetric: false };
  #servers: Address[] = [];
  #peer: Hello | undefined;
  /** Openings so far: one that another overtook leaves the port to that. */
  #openings = 0;
  #over = false;

  constructor(options: UdpSideOptions) {
    this.#options = options;
  }

  /** Opens a port, in place of the one before. Never rejects: where UDP cannot be had, the others do without. */
  async open(): Promise<void> {
    const opening = ++this.#openings;
    const overtaken = () => this.#over || opening !== this.#openings;
    const before = this.#agent;
    this.#agent = undefined;
    const { role, context, pin, onPath, onPipe, onChange, log } = this.#options;
    if (before) onPath(undefined);
    // Closed first: what it holds of the router's table must not be in the way of the next one.
    await before?.close();
    if (overtaken()) return;
    const password = randomBytes(16).toString('hex');
    const onMapping = (mapping: Mapping) => {
      this.#mapping = mapping;
      onChange();
    };
    const options = { role, context, pin, password, onPath, onPipe, onMapping, ...(log && { log }) };
    const agent = await openUdp(options).catch(
      (error: Error) => void log?.info({ reason: error.message }, 'no UDP lanes'),
    );
    if (overtaken()) return void agent?.close();
    this.#agent = agent;
    this.#password = password;
    this.#mapping = { reflexive: [], symmetric: false };
    this.#gather();
    if (this.#peer) this.peer(this.#peer);
    onChange();
  }

  get port(): number | undefined {
    return this.#agent?.port;
  }

  get hello(): UdpHello | undefined {
    return this.#agent && { password: this.#password, symmetric: this.#mapping.symmetric };
  }

  get reflexive(): Candidate[] {
    return this.#mapping.reflexive.map((address) => ({ type: 'udp', ...address }));
  }

  /** Asks these how they see the port. */
  ask(servers: Address[]): void {
    this.#servers = servers;
    this.#gather();
  }

  peer(hello: Hello): void {
    this.#peer = hello;
    const { candidates, udp } = hello;
    if (udp) this.#agent?.peer({ candidates: candidates.filter(({ type }) => type === 'udp'), ...udp });
  }

  async close(): Promise<void> {
    this.#over = true;
    await this.#agent?.close();
  }

  #gather(): void {
    const agent = this.#agent;
    if (!agent || this.#servers.length === 0) return;
    void agent.gather(this.#servers).then((mapping) => {
      if (this.#agent !== agent) return;
      this.#mapping = mapping;
      this.#options.onChange();
    });
  }
}
