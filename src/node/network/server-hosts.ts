/** A server's addresses, for what goes to it past any proxy. */
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { proxyFor } from '../../websocket/proxy.ts';

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
