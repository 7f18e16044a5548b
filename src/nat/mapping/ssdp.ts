/**
 * Finds the router's UPnP description (UPnP Device Architecture, 1.3). Anybody on a LAN can answer a search; heard is
 * only the default router, and only a description that it serves itself: the rest could lead anywhere.
 */
import { createSocket } from 'node:dgram';
import type { Gateway } from './mapper.ts';

const GROUP = '239.255.255.250';
export const SSDP_PORT = 1900;
/** IGD 2 routers answer to 1 as well, and 1 has all that is needed. */
const TARGETS = [1, 2].map((version) => `urn:schemas-upnp-org:device:InternetGatewayDevice:${version}`);
/** Milliseconds between questions, which multicast may lose; and for the whole search. Answers come within MX seconds. */
const REPEAT = 500;
const SEARCH_DEADLINE = 2_500;
const MAX_ANSWER = 2048;

/** Never rejects; undefined if the router does not answer. */
export function findDescription(
  { gateway, local }: Gateway,
  signal: AbortSignal,
  port = SSDP_PORT,
): Promise<URL | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    let done = false;
    const settle = (found?: URL) => {
      if (done) return;
      done = true;
      clearInterval(repeat);
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.close();
      resolve(found);
    };
    const abort = () => settle();
    const ask = () => {
      for (const target of TARGETS) {
        // To the router itself as well: some networks keep multicast from crossing Wi-Fi.
        for (const host of [GROUP, gateway]) socket.send(search(target, port), port, host, () => {});
      }
    };
    const timer = setTimeout(abort, SEARCH_DEADLINE);
    let repeat: NodeJS.Timeout | undefined;
    socket.on('error', abort);
    socket.on('message', (bytes, from) => {
      if (from.address !== gateway || bytes.length > MAX_ANSWER) return;
      const url = descriptionOf(bytes.toString('latin1'), gateway);
      if (url) settle(url);
    });
    socket.bind(0, local, () => {
      if (done) return;
      try {
        // Else the question could leave by another interface than the router's.
        socket.setMulticastInterface(local);
        socket.setMulticastTTL(2);
      } catch {
        // The router itself is asked all the same.
      }
      ask();
      repeat = setInterval(ask, REPEAT);
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort);
  });
}

function search(target: string, port: number): string {
  const lines = [`HOST: ${GROUP}:${port}`, 'MAN: "ssdp:discover"', 'MX: 1', `ST: ${target}`];
  return ['M-SEARCH * HTTP/1.1', ...lines, '', ''].join('\r\n');
}

/** Where an answer says that the description is; undefined if it is no such answer, or leads elsewhere. */
export function descriptionOf(answer: string, gateway: string): URL | undefined {
  if (!/^HTTP\/1\.[01] 200/.test(answer)) return undefined;
  const target = /^ST:[ \t]*(\S+)[ \t]*\r?$/im.exec(answer)?.[1];
  const location = /^LOCATION:[ \t]*(\S+)[ \t]*\r?$/im.exec(answer)?.[1];
  if (!target || !TARGETS.includes(target) || !location) return undefined;
  return routerUrl(location, undefined, gateway);
}

/** An http: URL of the router itself, or undefined. */
export function routerUrl(text: string, base: URL | undefined, gateway: string): URL | undefined {
  if (!URL.canParse(text, base?.href)) return undefined;
  const url = new URL(text, base?.href);
  if (url.protocol !== 'http:' || url.hostname !== gateway || url.username || url.password) return undefined;
  return url;
}
