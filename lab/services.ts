/** What the lab's machines run: Debian's TURN server and a router's port-mapping daemon, and nodes of a DHT. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nft } from './ip.ts';
import type { LabHost } from './network.ts';
import { isBound, Program, type Service } from './process.ts';
import type { Router } from './router.ts';

export type { Service } from './process.ts';

/** UDP ports on which a router is asked: RFC 6886 and 6887, and UPnP. */
const NAT_PMP = 5351;
const SSDP = 1900;
/** Of the first node of a DHT, as HyperDHT's own have it. */
const DHT_PORT = 49_737;

export interface CoturnOptions {
  /** The secret shared with `beeline server --turn-secret`. */
  secret: string;
  realm?: string;
  /** Where it listens and relays; default the host's (first) IPv4 address. */
  address?: string;
  /** Default 3478, UDP and TCP. */
  port?: number;
  /** Seconds that a nonce is good for; default coturn's own 600. */
  staleNonce?: number;
  /** First and last port of UDP relays; default 49152 to 65535. TCP relays (RFC 6062) listen there too. */
  ports?: readonly [number, number];
  /** More lines of turnserver.conf. */
  settings?: readonly string[];
}

export interface Coturn extends Service {
  /** As for `--turn-url`. */
  readonly url: string;
  readonly address: string;
  readonly port: number;
}

/** Runs Debian's turnserver with the REST scheme's time-limited credentials, UDP and TCP relays, and waits until it listens. */
export async function startCoturn(host: LabHost, options: CoturnOptions): Promise<Coturn> {
  const { secret, realm = 'lab.example', address = host.address, port = 3478, staleNonce, ports } = options;
  const program = new Program('coturn');
  const settings = join(program.folder, 'turnserver.conf');
  const lines = [
    `listening-ip=${address}`,
    `relay-ip=${address}`,
    `listening-port=${port}`,
    `realm=${realm}`,
    'use-auth-secret',
    `static-auth-secret=${secret}`,
    `userdb=${join(program.folder, 'turndb')}`,
    `pidfile=${join(program.folder, 'pid')}`,
    'log-file=stdout',
    'simple-log',
    'verbose',
    'no-cli',
    'no-tls',
    'no-dtls',
    ...(staleNonce === undefined ? [] : [`stale-nonce=${staleNonce}`]),
    ...(ports === undefined ? [] : [`min-port=${ports[0]}`, `max-port=${ports[1]}`]),
    ...(options.settings ?? []),
  ];
  writeFileSync(settings, `${lines.join('\n')}\n`, { mode: 0o600 });
  await program.start(
    host,
    ['turnserver', '-c', settings],
    (pid) => isBound(pid, 'tcp', port) && isBound(pid, 'udp', port),
  );
  return {
    url: `turn:${address.includes(':') ? `[${address}]` : address}:${port}`,
    address,
    port,
    stop: () => program.stop(),
    log: () => program.log(),
    running: () => program.running(),
  };
}

export interface PrivateDht extends Service {
  /** As for `--dht-bootstrap`. */
  readonly bootstrap: string;
}

/** Runs nodes of a DHT of the lab's own, and waits until they know each other. */
export async function startDht(host: LabHost, count: number): Promise<PrivateDht> {
  const program = new Program('dht');
  const script = fileURLToPath(new URL('./dht-nodes.mjs', import.meta.url));
  const { address } = host;
  const words = [process.execPath, script, String(count), address, String(DHT_PORT)];
  await program.start(host, words, () => program.log().includes('ready'));
  return {
    bootstrap: `${address}:${DHT_PORT}`,
    stop: () => program.stop(),
    log: () => program.log(),
    running: () => program.running(),
  };
}

/**
 * Runs Debian's miniupnpd on a router: UPnP, NAT-PMP and PCP for its LAN, with mappings that really forward. It refuses
 * routers whose public address is reserved, so the internet must be made with `net: ROUTABLE_NET`.
 */
export async function startMiniupnpd(router: Router): Promise<Service> {
  const program = new Program('miniupnpd');
  const settings = join(program.folder, 'miniupnpd.conf');
  const lines = [
    'ext_ifname=wan',
    'listening_ip=lan',
    'enable_natpmp=yes',
    'enable_upnp=yes',
    'secure_mode=yes',
    `lease_file=${join(program.folder, 'leases')}`,
    'upnp_table_name=miniupnpd',
    'upnp_nat_table_name=miniupnpd',
    'upnp_forward_chain=forwarding',
    'upnp_nat_chain=mapping',
    'upnp_nat_postrouting_chain=unmapping',
    `uuid=${randomUUID()}`,
    'allow 1024-65535 0.0.0.0/0 1024-65535',
    'deny 0-65535 0.0.0.0/0 0-65535',
  ];
  writeFileSync(settings, `${lines.join('\n')}\n`, { mode: 0o600 });
  // The router's own rules let through what was redirected; only the redirection needs a place of its own.
  nft(
    router.namespace,
    `table inet miniupnpd {
      chain forwarding {}
      chain mapping {}
      chain unmapping {}
      chain prerouting { type nat hook prerouting priority dstnat; iifname wan jump mapping; }
      chain postrouting { type nat hook postrouting priority srcnat - 1; oifname wan jump unmapping; }
    }`,
  );
  await program.start(
    router,
    ['miniupnpd', '-d', '-f', settings, '-P', join(program.folder, 'pid')],
    (pid) => isBound(pid, 'udp', NAT_PMP) && isBound(pid, 'udp', SSDP),
  );
  return {
    stop: () => program.stop(),
    log: () => program.log(),
    running: () => program.running(),
  };
}
