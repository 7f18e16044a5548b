/** Where a standing server's STUN ports are: its name is looked up, and again while that leads nowhere. */
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { proxyFor } from '../../websocket/proxy.ts';
import type { Address } from '../../wire/candidate.ts';

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

/** Milliseconds for a name server to answer, and how often it is asked. */
const ANSWER_MS = 2_000;
const TRIES = 3;

/**
 * Never rejects; empty where the name leads nowhere, or the signal comes first.
 *
 * A network whose only way out is a proxy often has no name server, and the system's own lookup cannot be given up: a
 * process waits for its end, 10 s and more, before it can exit. So behind a proxy name servers are asked directly. Without
 * one the server has just been reached by the system's answer, which knows other sources too.
 */
export async function serverHosts(
  url: string,
  signal: AbortSignal,
  resolver: Pick<Resolver, 'resolve4' | 'resolve6' | 'cancel'> = new Resolver({
    timeout: ANSWER_MS,
    tries: TRIES,
  }),
): Promise<string[]> {
  const name = new URL(url).hostname.replace(/^\[|\]$/g, '');
  if (isIP(name) > 0) return [name];
  if (!(await proxyFor(url))) {
    const found = await lookup(name, { all: true, verbatim: true }).catch(() => []);
    return found.map(({ address }) => address);
  }
  const stop = () => resolver.cancel();
  signal.addEventListener('abort', stop, { once: true });
  const answers = [resolver.resolve6(name), resolver.resolve4(name)];
  if (signal.aborted) stop();
  const settled = await Promise.allSettled(answers);
  signal.removeEventListener('abort', stop);
  return settled.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
}
