/**
 * UPnP's WANIPConnection service (version 1, which version 2 includes): most home routers. The router's description is found by
 * SSDP (UPnP Device Architecture, 1.3). Anybody on a LAN can answer a search. So only the default router counts, and only a
 * description that it serves itself: the rest could lead anywhere.
 */

import { createSocket } from 'node:dgram';
import { type ClientRequest, request } from 'node:http';
import { isIPv4 } from 'node:net';
import { doubling, realClock, withDeadline } from '../../base/clock.ts';
import { BeelineError, fault } from '../../base/errors.ts';
import { type Gateway, type MappedProtocol, type Mapper, type PortMapping, worldAddress } from './mapper.ts';

/** For a whole exchange. */
const HTTP_DEADLINE_MS = 3_000;
/** Real device descriptions have a few KiB. */
const MAX_ANSWER_BYTES = 128 * 1024;

interface HttpAnswer {
  status: number;
  body: string;
}

interface HttpQuestion {
  url: URL;
  headers?: Record<string, string>;
  /** Makes it a POST. */
  body?: string;
  signal: AbortSignal;
}

/**
 * HTTP to a router, whose answers are not trusted: to its address only, bounded in time and length, never redirected.
 * @throws BeelineError NO_PATH, TIMEOUT, PROTOCOL or CANCELLED
 */
export function exchange({ url, headers, body, signal }: HttpQuestion): Promise<HttpAnswer> {
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const late = () => fault('ROUTER_LATE', { router: url.host, how: ' in time' });
  const stopped = () => new BeelineError('CANCELLED', 'Nobody waits for the router any more.');
  let asked: ClientRequest | undefined;
  const answer = () =>
    new Promise<HttpAnswer>((resolve, reject) => {
      asked = request(url, {
        method: body === undefined ? 'GET' : 'POST',
        // Nothing is kept open: the program is to end when it is done.
        agent: false,
        headers: { ...headers, ...length, Connection: 'close' },
      });
      asked.on('error', (cause) => reject(fault('ROUTER_UNREACHABLE', { router: url.host }, { cause })));
      asked.once('response', (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          parts.push(part);
          bytes += part.length;
          if (bytes > MAX_ANSWER_BYTES) reject(broken(url));
        });
        for (const event of ['error', 'close']) response.once(event, () => reject(broken(url)));
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        );
      });
      asked.end(body);
    });
  return withDeadline(realClock, signal, HTTP_DEADLINE_MS, late, answer, stopped).finally(() =>
    asked?.destroy(),
  );
}

function broken(url: URL): BeelineError {
  return fault('ROUTER_MALFORMED', { router: url.host });
}

const GROUP = '239.255.255.250';
const SSDP_PORT = 1900;
/** IGD 2 routers answer to 1 as well, and 1 has all that is needed. */
const TARGETS = [1, 2].map((version) => `urn:schemas-upnp-org:device:InternetGatewayDevice:${version}`);
/** Between questions, which multicast may lose; and for the whole search. Answers come within MX seconds. */
const SSDP_REPEAT_MS = 500;
const SSDP_DEADLINE_MS = 2_500;
const MAX_SSDP_BYTES = 2048;

/** Never rejects; undefined if the router does not answer. */
async function findDescription(
  { gateway, local }: Gateway,
  signal: AbortSignal,
  port = SSDP_PORT,
): Promise<URL | undefined> {
  const socket = createSocket('udp4');
  let stop = () => {};
  const ask = () => {
    for (const target of TARGETS) {
      // To the router itself as well: some networks keep multicast from crossing Wi-Fi.
      for (const host of [GROUP, gateway]) socket.send(search(target, port), port, host, () => {});
    }
  };
  const found = (end: AbortSignal) =>
    new Promise<URL>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('message', (bytes, from) => {
        if (from.address !== gateway || bytes.length > MAX_SSDP_BYTES) return;
        const url = descriptionOf(bytes.toString('latin1'), gateway);
        if (url) resolve(url);
      });
      socket.bind(0, local, () => {
        if (end.aborted) return;
        try {
          // Else the question could leave by another interface than the router's.
          socket.setMulticastInterface(local);
          socket.setMulticastTTL(2);
        } catch {
          // The router itself is asked all the same.
        }
        stop = doubling(realClock, SSDP_REPEAT_MS, SSDP_REPEAT_MS, ask);
      });
    });
  try {
    return await withDeadline(realClock, signal, SSDP_DEADLINE_MS, () => new Error('late'), found);
  } catch {
    return undefined;
  } finally {
    stop();
    socket.close();
  }
}

function search(target: string, port: number): string {
  const lines = [`HOST: ${GROUP}:${port}`, 'MAN: "ssdp:discover"', 'MX: 1', `ST: ${target}`];
  return ['M-SEARCH * HTTP/1.1', ...lines, '', ''].join('\r\n');
}

/** The URL of the description in an answer; undefined if it is no such answer, or leads to another host. */
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

const SERVICE = /^urn:schemas-upnp-org:service:(?:WANIPConnection:[12]|WANPPPConnection:1)$/;
/** The outer port is somebody else's. */
const CONFLICT = [718, 729];
/** The router knows only mappings for ever: they are taken back at the end like others. */
const ONLY_PERMANENT = 725;
/** Outer ports tried: the same as the inner one, then any. */
const TRIES = 4;

interface Service {
  type: string;
  control: URL;
}

export class Upnp implements Mapper {
  readonly protocol = 'UPnP';
  readonly #gateway: Gateway;
  readonly #life = new AbortController();
  readonly #service: Promise<Service | undefined>;
  /** Outer port of each `transport port` that is mapped. */
  readonly #outer = new Map<string, number>();
  /** What the router has been asked for last, settled when it has answered. */
  readonly #asked = new Map<string, Promise<void>>();

  /** Begins to search at once, so that the router is known when it is needed. */
  constructor(gateway: Gateway, ssdpPort = SSDP_PORT) {
    this.#gateway = gateway;
    this.#service = this.#find(ssdpPort).catch(() => undefined);
  }

  async map(transport: MappedProtocol, port: number, lifetime: number): Promise<PortMapping> {
    const answer = await this.#call('GetExternalIPAddress', {});
    const host = /<NewExternalIPAddress[^>]*>\s*([\d.]{7,15})\s*</.exec(answer)?.[1] ?? '';
    if (!isIPv4(host) || !worldAddress(host, port)) throw fault('ROUTER_NO_ADDRESS', { protocol: 'UPnP' });
    const key = `${transport} ${port}`;
    let outer = this.#outer.get(key) ?? port;
    for (let left = TRIES; ; left--) {
      try {
        const adding = this.#add(transport, port, outer, lifetime);
        const added = () => void this.#outer.set(key, outer);
        this.#asked.set(
          key,
          adding.then(added, () => {}),
        );
        const granted = await adding;
        return { address: { host, port: outer }, lifetime: granted };
      } catch (error) {
        if (left <= 1 || !(error instanceof UpnpError) || !CONFLICT.includes(error.number)) throw error;
        outer = 1024 + Math.floor(Math.random() * (65_536 - 1024));
      }
    }
  }

  async unmap(transport: MappedProtocol, port: number): Promise<void> {
    const key = `${transport} ${port}`;
    // The router may still grant a mapping that nobody waits for any more, and some grant it for ever.
    await this.#asked.get(key);
    const outer = this.#outer.get(key);
    if (outer === undefined) return;
    this.#outer.delete(key);
    await this.#call('DeletePortMapping', {
      NewRemoteHost: '',
      NewExternalPort: outer,
      NewProtocol: transport.toUpperCase(),
    });
  }

  close(): void {
    this.#life.abort();
  }

  async #add(transport: MappedProtocol, port: number, outer: number, lifetime: number): Promise<number> {
    const add = (seconds: number) =>
      this.#call('AddPortMapping', {
        NewRemoteHost: '',
        NewExternalPort: outer,
        NewProtocol: transport.toUpperCase(),
        NewInternalPort: port,
        NewInternalClient: this.#gateway.local,
        NewEnabled: 1,
        NewPortMappingDescription: 'beeline',
        NewLeaseDuration: seconds,
      });
    try {
      await add(lifetime);
      return lifetime;
    } catch (error) {
      if (!(error instanceof UpnpError) || error.number !== ONLY_PERMANENT) throw error;
      await add(0);
      return Number.POSITIVE_INFINITY;
    }
  }

  /** All values are our own words and numbers, so nothing has to be escaped. */
  async #call(action: string, values: Record<string, string | number>): Promise<string> {
    const service = await this.#service;
    if (!service) throw fault('ROUTER_NO_UPNP');
    const inner = Object.entries(values).map(([name, value]) => `<${name}>${value}</${name}>`);
    const { status, body } = await exchange({
      url: service.control,
      headers: { 'Content-Type': 'text/xml; charset="utf-8"', SOAPAction: `"${service.type}#${action}"` },
      body: `<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:${action} xmlns:u="${service.type}">${inner.join('')}</u:${action}></s:Body></s:Envelope>`,
      signal: this.#life.signal,
    });
    if (status === 200) return body;
    throw new UpnpError(action, Number(/<errorCode[^>]*>\s*(\d{1,5})\s*</.exec(body)?.[1] ?? status));
  }

  async #find(ssdpPort: number): Promise<Service | undefined> {
    const { signal } = this.#life;
    const url = await findDescription(this.#gateway, signal, ssdpPort);
    if (!url) return undefined;
    const { status, body } = await exchange({ url, signal });
    return status === 200 ? serviceOf(body, url, this.#gateway.gateway) : undefined;
  }
}

/** The first service of a description that maps ports, served by the router itself. */
export function serviceOf(description: string, base: URL, gateway: string): Service | undefined {
  const root = elementOf(description, 'URLBase');
  const from = (root && routerUrl(root, undefined, gateway)) || base;
  for (const part of description.split(/<service\s*>/).slice(1)) {
    const type = elementOf(part, 'serviceType');
    const path = elementOf(part, 'controlURL');
    if (!type || !path || !SERVICE.test(type)) continue;
    const control = routerUrl(path, from, gateway);
    if (control) return { type, control };
  }
  return undefined;
}

/** The text of the first such element, which has neither attributes nor elements in it. */
function elementOf(xml: string, name: string): string | undefined {
  const begin = xml.indexOf(`<${name}>`);
  const end = xml.indexOf(`</${name}>`, begin);
  return begin < 0 || end < 0
    ? undefined
    : xml
        .slice(begin + name.length + 2, end)
        .trim()
        .replaceAll('&amp;', '&');
}

class UpnpError extends BeelineError {
  readonly number: number;

  constructor(action: string, number: number) {
    const what = `it answers ${action} with error ${number}`;
    const { code, message, reason } = fault('ROUTER_REFUSED', { what, protocol: 'UPnP' });
    super(code, message, { reason });
    this.number = number;
  }
}
