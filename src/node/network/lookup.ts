/** Where a standing server's STUN ports are: its name is looked up, and again while that leads nowhere. */
import type { Address } from '../../wire/candidate.ts';
import { serverHosts } from './server-hosts.ts';

/** Milliseconds until a name that led nowhere is looked up again: after a change of network names work last. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** Addresses of the server that are used. */
const MOST_HOSTS = 4;

export class StunLookup {
  readonly #url: string;
  readonly #ports: () => readonly number[];
  readonly #found: (servers: Address[]) => void;
  readonly #end = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #pause = FIRST_PAUSE;
  /** Times that it was begun: an answer that another one overtook is not taken. */
  #begun = 0;

  /** @param ports those of the server's host that answer STUN, as of now */
  constructor(url: string, ports: () => readonly number[], found: (servers: Address[]) => void) {
    this.#url = url;
    this.#ports = ports;
    this.#found = found;
  }

  /** Begins anew, at once. */
  again(): void {
    this.#pause = FIRST_PAUSE;
    void this.#look();
  }

  close(): void {
    this.#end.abort();
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { signal } = this.#end;
    const ports = this.#ports();
    if (ports.length === 0 || signal.aborted) return;
    const begun = ++this.#begun;
    clearTimeout(this.#timer);
    const hosts = await serverHosts(this.#url, signal);
    if (signal.aborted || begun !== this.#begun) return;
    if (hosts.length === 0) {
      this.#timer = setTimeout(() => void this.#look(), this.#pause);
      this.#pause = Math.min(LONGEST_PAUSE, this.#pause * 2);
      return;
    }
    // Two ports of each: whether they see the same address tells the kind of NAT.
    this.#found(hosts.slice(0, MOST_HOSTS).flatMap((host) => ports.map((port) => ({ host, port }))));
  }
}
