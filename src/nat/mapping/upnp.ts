/** UPnP's WANIPConnection service (version 1, which version 2 includes): most home routers. */
import { isIPv4 } from 'node:net';
import { BeelineError, fault } from '../../base/errors.ts';
import { exchange } from './http.ts';
import { type Gateway, type Mapper, type Mapping, type Transport, worldAddress } from './mapper.ts';
import { findDescription, routerUrl, SSDP_PORT } from './ssdp.ts';

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

  async map(transport: Transport, port: number, lifetime: number): Promise<Mapping> {
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

  async unmap(transport: Transport, port: number): Promise<void> {
    const key = `${transport} ${port}`;
    // It may be about to grant what nobody waits for any more, and some grant it for ever.
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

  async #add(transport: Transport, port: number, outer: number, lifetime: number): Promise<number> {
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
