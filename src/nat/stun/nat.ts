/** What kind of NAT a machine is behind, by what STUN servers see of it (terms of RFC 4787 and RFC 5382). */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { familyOf, plainHost, spelled } from '../../base/addresses.ts';
import { fault, faultFrom } from '../../base/errors.ts';
import { type Address, formatAddress } from '../../wire/candidate.ts';
import { ASK_DEADLINE, askTcp, cancelled, StunAsker, type UdpBinding } from './ask.ts';

/**
 * - `none`: the world sees the machine's own address.
 * - `endpoint-independent`: one mapping for every destination, which a peer can be told.
 * - `dependent` ("symmetric"): another one for each destination, unknown before a packet is sent there.
 * - `unknown`: fewer than two servers answered.
 *
 * Two ports of one host cannot tell a NAT whose mapping depends on the address alone; such are rare.
 */
export type Mapping = 'none' | 'endpoint-independent' | 'dependent' | 'unknown';

/**
 * `open`: packets of a port that was not sent to reach a mapped port; two ports of one host cannot tell whether those of
 * another host do. `dependent`: only those of addresses and ports sent to before.
 */
export type Filtering = 'open' | 'dependent' | 'unknown';

export interface TcpNat {
  /** Nothing answered. */
  blocked: boolean;
  mapping: Mapping;
  /** As the first server that answered saw it. */
  mapped?: Address;
  /** Milliseconds, the shortest. */
  roundTrip?: number;
}

interface UdpNat extends TcpNat {
  filtering: Filtering;
}

/** What one local port's questions to several servers brought. */
export interface Seen {
  /** One for each server that answered. */
  answers: readonly { mapped: Address; roundTrip: number }[];
  isLocal: (address: Address) => boolean;
}

export function natKind({ answers, isLocal }: Seen): TcpNat {
  const first = answers[0]?.mapped;
  if (!first) return { blocked: true, mapping: 'unknown' };
  const roundTrip = answers.reduce(
    (least, each) => Math.min(least, each.roundTrip),
    Number.POSITIVE_INFINITY,
  );
  const same = answers.every(({ mapped }) => mapped.host === first.host && mapped.port === first.port);
  const several: Mapping = same ? 'endpoint-independent' : 'dependent';
  const one: Mapping = answers.length > 1 ? several : 'unknown';
  return { blocked: false, mapping: same && isLocal(first) ? 'none' : one, mapped: first, roundTrip };
}

/**
 * Takes up to 3 s: only waiting shows that a packet from another port does not come.
 * @param servers different ports or hosts; those of the first one's IP family are asked
 * @throws BeelineError USAGE without servers, NO_PATH without a UDP socket, CANCELLED.
 */
export async function probeUdp(servers: readonly Address[], signal?: AbortSignal): Promise<UdpNat> {
  const asked = ofOneFamily(servers);
  const family = familyOf(asked[0]!.host) === 6 ? 'udp6' : 'udp4';
  // From a socket of its own, since asking every server opens the NAT for answers of the other port.
  const [many, changed] = await Promise.all([
    withAsker(family, (asker, port) => askAll(asker, asked, port, signal)),
    withAsker(family, (asker) => askChanged(asker, asked[0]!, signal)),
  ]);
  if (signal?.aborted) throw cancelled();
  const honours = many.answers.some(({ other }) => other !== undefined);
  // Silence counts only if the server can answer from another port.
  const filtering: Filtering = changed ? 'open' : honours ? 'dependent' : 'unknown';
  return { ...natKind(many), filtering };
}

/**
 * Takes up to 3 s.
 * @throws BeelineError USAGE without servers, CANCELLED.
 */
export async function probeTcp(servers: readonly Address[], signal?: AbortSignal): Promise<TcpNat> {
  const asked = ofOneFamily(servers);
  const open = new Set<Socket>();
  let over = false;
  const ask = async (server: Address, local?: Address) => {
    const from = { localPort: local?.port, localHost: local?.host };
    const binding = await askTcp(server, { ...from, deadline: ASK_DEADLINE / 2, signal });
    // The slower ones of the first round may come when all is over.
    if (over) binding.socket.destroy();
    else open.add(binding.socket);
    return { ...binding, server };
  };
  try {
    const first = await Promise.any(asked.map((server) => ask(server))).catch(() => undefined);
    if (signal?.aborted) throw cancelled();
    if (!first) return natKind({ answers: [], isLocal: () => false });
    const { local } = first;
    // From the port that the first answer came to, while its connection is there.
    const others = asked.filter((server) => server !== first.server);
    const more = await Promise.allSettled(others.map((server) => ask(server, local)));
    if (signal?.aborted) throw cancelled();
    const answers = [first, ...more.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))];
    return natKind({ answers, isLocal: ({ host, port }) => host === local.host && port === local.port });
  } finally {
    over = true;
    for (const socket of open) socket.destroy();
  }
}

async function askAll(asker: StunAsker, servers: Address[], port: number, signal?: AbortSignal) {
  const all = await Promise.allSettled(servers.map((server) => asker.ask(server, { signal })));
  const answers = all.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const hosts = localHosts();
  return { answers, isLocal: (seen: Address) => seen.port === port && hosts.has(seen.host) };
}

/** The answer from another port than was asked, if one came. */
async function askChanged(asker: StunAsker, server: Address, signal?: AbortSignal) {
  const silence = () => undefined;
  const answer: UdpBinding | undefined = await asker.ask(server, { changePort: true, signal }).catch(silence);
  return answer && answer.from.port !== server.port ? answer : undefined;
}

function withAsker<T>(
  family: 'udp4' | 'udp6',
  use: (asker: StunAsker, port: number) => Promise<T>,
): Promise<T> {
  const socket = createSocket(family);
  // An address that cannot be sent to is one that does not answer.
  const asker = new StunAsker((bytes, to) => socket.send(bytes, to.port, to.host, () => {}));
  socket.on('message', (bytes, from) => asker.receive(bytes, { host: from.address, port: from.port }));
  const bound = new Promise<void>((resolve, reject) => {
    socket.on('error', (cause) => reject(faultFrom(cause, 'STUN_NO_SOCKET')));
    socket.bind(0, resolve);
  });
  return bound
    .then(() => use(asker, socket.address().port))
    .finally(() => {
      asker.close();
      socket.close();
    });
}

function ofOneFamily(servers: readonly Address[]): Address[] {
  const [first] = servers;
  if (!first) throw fault('STUN_UNNAMED');
  const distinct = new Map(servers.map((server) => [formatAddress(server), server]));
  const six = (host: string) => familyOf(plainHost(host)) === 6;
  return [...distinct.values()].filter(({ host }) => six(host) === six(first.host));
}

function localHosts(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return new Set(all.map(({ address }) => spelled(address)!));
}
