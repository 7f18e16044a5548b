/** A transfer of which nothing passes by a proxy: the server and its relay are reached through it, and nobody else is. */
import { relay } from '../transports/relay/node-transport.ts';
import { useProxy } from '../websocket/proxy.ts';
import type { CommonOptions } from './api.ts';

/** The proxy is this process's from now on. @throws BeelineError USAGE for one that is of no use */
export function onlyThrough(
  proxy: string,
): Required<Pick<CommonOptions, 'transports' | 'relay' | 'lan' | 'dht' | 'portMap'>> {
  useProxy(proxy);
  // TURN and all direct ways would open connections of their own, past the proxy.
  return { transports: [relay], relay: 'only', lan: false, dht: false, portMap: false };
}
