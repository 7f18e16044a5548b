/** `beeline doctor`: what this machine's network allows. The table and the advice are its product: on stdout. */

import { advise } from '../../node/doctor/advise.ts';
import { diagnose } from '../../node/doctor/diagnose.ts';
import {
  CHECKS,
  type Check,
  type CheckName,
  type Diagnosis,
  type Facts,
  type LocalAddress,
  type NatFacts,
} from '../../node/doctor/diagnosis.ts';
import { EXIT_DONE, exitCode } from '../exit.ts';
import { formatRate } from '../format.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { printer } from '../json.ts';
import { doctorArgs } from '../options.ts';
import { Screen } from '../screen.ts';

const TITLES: { readonly [N in CheckName]: string } = {
  addresses: 'Addresses',
  lan: 'Local network',
  udx: 'UDP lanes',
  router: 'Router',
  dht: 'DHT',
  proxy: 'Proxy',
  server: 'Server',
  udp4: 'UDP over IPv4',
  tcp4: 'TCP over IPv4',
  udp6: 'UDP over IPv6',
  tcp6: 'TCP over IPv6',
  relay: 'Relay',
  turn: 'TURN',
};
const MAPPINGS: { readonly [M in NatFacts['mapping']]: string } = {
  none: 'no NAT',
  'endpoint-independent': 'cone NAT, the same port for all destinations',
  dependent: 'symmetric NAT, another port for each destination',
  unknown: 'a NAT of unknown kind',
};
const FILTERS: { readonly [F in Facts['udp4']['filtering']]: string } = {
  open: 'lets packets in from anybody',
  dependent: 'lets packets in only from where this side sent to',
  unknown: '',
};
const SCOPES: { readonly [S in LocalAddress['scope']]: string } = {
  global: 'public',
  private: 'private',
  shared: "a provider's NAT, or a VPN",
  'link-local': 'this link only',
  loopback: 'this machine only',
  none: 'no host',
  many: 'many hosts',
};
/** Addresses that a line has room for. */
const MOST = 8;

const SENTENCES: { readonly [N in CheckName]: (facts: Facts[N]) => string } = {
  addresses: ({ addresses }) => listed(addresses),
  lan: ({ interfaces }) => `senders can be found by mDNS (${interfaces.join(', ')})`,
  udx: () => 'available',
  router: ({ protocol, host, ms }) =>
    `maps ports by ${protocol}, its address outside is ${host}, ${time(ms)}`,
  dht: ({ ms }) => `answers, ${time(ms)}: two who are not on the same network meet over it`,
  proxy: ({ proxy }) => `${proxy}`,
  server: ({ ms, ...services }) =>
    `answers${ms === undefined ? '' : `, round trip ${time(ms)}`}; offers ${offered(services)}`,
  udp4: udp,
  tcp4: nat,
  udp6: udp,
  tcp6: nat,
  relay: ({ ms, rate }) => `works, round trip ${time(ms)}, at least ${formatRate(rate)}`,
  turn: ({ relayed, ms }) => `works, gave ${relayed}, ${time(ms)}`,
};

/** What a check found, or why it failed. May quote servers and routers: escape it. */
export function detail(name: CheckName, check: Check): string {
  if (!check.ok) return check.reason;
  const say = SENTENCES[name] as (facts: unknown) => string;
  return say(check);
}

/** Two columns: what was looked at, and what came out. */
export function table(diagnosis: Diagnosis): string[] {
  const rows = CHECKS.flatMap((name) => {
    const check = diagnosis[name] as Check | undefined;
    return check ? [{ title: TITLES[name], text: `${check.ok ? '' : 'no: '}${detail(name, check)}` }] : [];
  });
  const width = rows.reduce((most, { title }) => Math.max(most, title.length), 0) + 2;
  return rows.map(({ title, text }) => `${title.padEnd(width)}${text}`);
}

export function advice(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', 'Advice:', ...lines.map((line) => `- ${line}`)];
}

function listed(addresses: readonly LocalAddress[]): string {
  const shown = addresses
    // Every interface has a link-local address, and no other network can reach it.
    .filter(({ scope }) => scope !== 'link-local' || addresses.every((other) => other.scope === scope))
    .map((each) => `${each.address} (${each.interface}, ${SCOPES[each.scope]})`);
  const more = shown.length > MOST ? [`and ${shown.length - MOST} more`] : [];
  return [...shown.slice(0, MOST), ...more].join(', ');
}

function udp(facts: Facts['udp4']): string {
  return nat(facts, FILTERS[facts.filtering]);
}

function nat({ mapping, host, ms }: NatFacts, filter = ''): string {
  const parts = [MAPPINGS[mapping], filter, `seen as ${host}`, `round trip ${time(ms)}`];
  return parts.filter((part) => part !== '').join(', ');
}

function offered({ relay, stun, turn }: Omit<Facts['server'], 'ms'>): string {
  const services = [
    relay ? 'a relay' : '',
    stun.length > 0 ? `STUN (${stun.length === 1 ? 'port' : 'ports'} ${stun.join(' and ')})` : '',
    turn ? 'TURN' : '',
  ].filter((service) => service !== '');
  return services.length > 0 ? services.join(', ') : 'a meeting point only';
}

/** Milliseconds as people read them. */
function time(ms: number): string {
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Resolves to the exit code: 6 if the server that was named cannot be reached. @throws BeelineError */
export async function doctorCommand(argv: readonly string[], host: Host): Promise<number> {
  const { json, server, proxy, portMap, dht } = doctorArgs(argv, host.env);
  const screen = new Screen(host.stderr, host.env);
  const print = printer(host.stdout, json);
  const interrupt = new Interrupt();
  const onCheck = (name: CheckName, check: Check): void => {
    print({ event: 'check', ...told(name, check) });
  };
  try {
    if (!json) screen.status(['Looking. This takes some seconds...']);
    if (proxy !== undefined) (await host.proxied())(proxy);
    const only = proxy !== undefined;
    const diagnosis = await diagnose({ server, portMap, dht, only, onCheck, signal: interrupt.signal });
    screen.status([]);
    const lines = advise(diagnosis);
    print({ event: 'diagnosis', ...{ ...diagnosis, advice: lines } }, table(diagnosis), advice(lines));
    return diagnosis.server?.ok === false ? exitCode('SERVER') : EXIT_DONE;
  } finally {
    screen.status([]);
    interrupt.close();
  }
}

/** A check as its own event. It says in a sentence what was found; the `diagnosis` at the end has the facts. */
function told(name: CheckName, check: Check): object {
  const ms = 'ms' in check ? check.ms : undefined;
  const code = check.ok ? undefined : check.code;
  return { name, ok: check.ok, code, ms, detail: detail(name, check) };
}
