/** The lab tells the truth: each kind of NAT maps, filters and drops as its name says, and nothing of it stays behind. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  HOST_KINDS,
  type HostKind,
  type Internet,
  type LabHost,
  makeInternet,
  ROUTABLE_NET,
  whyNoLab,
} from '../../lab/network.ts';
import { startCoturn, startMiniupnpd } from '../../lab/services.ts';

const PROBE = fileURLToPath(new URL('../../lab/probe.mjs', import.meta.url));
const STRAY = fileURLToPath(new URL('./turn-stray.ts', import.meta.url));
/** Milliseconds to wait for what must come, and for what must not. */
const COMES = 5000;
const SILENT = 200;
const PORT = 7000;

type Protocol = 'udp' | 'tcp';

/** Commands to `lab/probe.mjs` on a host, answered in order. */
class Probe {
  readonly #child;
  readonly #answers;
  constructor(host: LabHost) {
    const [word, ...words] = [...host.prefix, process.execPath, PROBE];
    this.#child = spawn(word!, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }
  async #do(command: object): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value } = await this.#answers.next();
    const answer = JSON.parse(value ?? '{"error":"the probe ended"}');
    assert.equal(answer?.error, undefined);
    return answer;
  }
  listen(protocol: Protocol, address: string, port: number): Promise<unknown> {
    return this.#do({ do: 'listen', protocol, address, port });
  }
  /** "address port" as the other side sees it, 'refused', or null for silence. */
  ask(protocol: Protocol, from: number, to: string, port = PORT, wait = COMES): Promise<unknown> {
    return this.#do({ do: 'ask', protocol, from, to, port, wait });
  }
  punch(from: number, to: string, port: number, wait = COMES): Promise<unknown> {
    return this.#do({ do: 'punch', from, to, port, wait });
  }
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.stdin.end();
    await once(this.#child, 'exit');
  }
}

const portOf = (seen: unknown): number => Number(String(seen).split(' ')[1]);
const namespaces = (): string[] => execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n');
const ours = (): string[] => namespaces().filter((name) => name.includes(`-${process.pid}-`));

const missing = whyNoLab('turnserver', 'miniupnpd');
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('lab: an internet of namespaces', { skip }, () => {
  let net: Internet;
  let server: Probe;
  let third: Probe;
  let thirdHost: LabHost;
  const hosts = new Map<HostKind, LabHost>();
  const probes = new Map<HostKind, Probe>();
  const others: Probe[] = [];
  const probeOn = (host: LabHost): Probe => {
    const probe = new Probe(host);
    others.push(probe);
    return probe;
  };

  before(async () => {
    assert.equal(missing, undefined);
    net = await makeInternet();
    server = probeOn(net.server);
    for (const address of [net.server.address, net.server.address2, net.server.address6!]) {
      for (const protocol of ['udp', 'tcp'] as const) {
        for (const port of [PORT, 443]) await server.listen(protocol, address, port);
      }
    }
    thirdHost = await net.addHost('open');
    third = probeOn(thirdHost);
    for (const kind of HOST_KINDS) {
      hosts.set(kind, await net.addHost(kind));
      probes.set(kind, probeOn(hosts.get(kind)!));
    }
  });
  after(async () => {
    await Promise.all(others.map((probe) => probe.end()));
    net?.remove();
    assert.deepEqual(ours(), [], 'no namespace is left');
  });

  /** How the server's two addresses and two ports see one local port. */
  async function mappings(kind: HostKind, protocol: Protocol): Promise<string[]> {
    const probe = probes.get(kind)!;
    const addresses =
      kind === 'ipv6-only' ? [net.server.address6!] : [net.server.address, net.server.address2];
    const ports = kind === 'only-443' ? [443] : [PORT, 443];
    const seen: string[] = [];
    for (const to of addresses) {
      for (const port of ports) seen.push(String(await probe.ask(protocol, 5000, to, port)));
    }
    return seen;
  }

  for (const kind of HOST_KINDS) {
    const protocols: Protocol[] = kind === 'udp-blocked' || kind === 'only-443' ? ['tcp'] : ['udp', 'tcp'];
    for (const protocol of protocols) {
      it(`${kind}: mapping of ${protocol}`, async () => {
        const seen = await mappings(kind, protocol);
        const { publicAddress } = hosts.get(kind)!;
        for (const one of seen) assert.equal(one.split(' ')[0], publicAddress, `seen as ${seen}`);
        const ports = new Set(seen.map(portOf));
        assert.equal(ports.size, kind === 'symmetric' ? seen.length : 1, `seen as ${seen}`);
      });
    }
  }

  for (const kind of ['open', 'full-cone', 'cone', 'symmetric', 'double', 'ipv6-only'] as const) {
    it(`${kind}: filtering of UDP`, async () => {
      const probe = probes.get(kind)!;
      const v6 = kind === 'ipv6-only';
      const port = portOf(await probe.ask('udp', 5001, v6 ? net.server.address6! : net.server.address));
      const { publicAddress } = hosts.get(kind)!;
      const lets = kind === 'open' || kind === 'full-cone';
      const stranger = await third.ask('udp', 6001, publicAddress, port, lets ? COMES : SILENT);
      assert.equal(stranger !== null, lets, 'a stranger');
      // Now the host has sent to that very port, and a symmetric NAT has made another mapping for it.
      const asked = thirdHost[v6 ? 'address6' : 'address']!;
      const mapped = portOf(await probe.ask('udp', 5001, asked, 6001));
      assert.equal(mapped === port, kind !== 'symmetric');
      assert.notEqual(
        await third.ask('udp', 6001, publicAddress, mapped),
        null,
        'who was sent to may answer',
      );
      const other = await third.ask('udp', 6002, publicAddress, mapped, lets ? COMES : SILENT);
      assert.equal(other !== null, lets, 'another port of who was sent to');
    });

    it(`${kind}: filtering of TCP`, async () => {
      const probe = probes.get(kind)!;
      const v6 = kind === 'ipv6-only';
      const { publicAddress, address } = hosts.get(kind)!;
      const port = portOf(await probe.ask('tcp', 5002, v6 ? net.server.address6! : net.server.address));
      await probe.listen('tcp', address, 5002);
      const lets = kind === 'open' || kind === 'full-cone';
      const stranger = await third.ask('tcp', 6003, publicAddress, port, lets ? COMES : SILENT);
      assert.equal(typeof stranger === 'string' && stranger !== 'refused', lets, `${stranger}`);
      const closed = await third.ask('tcp', 6004, publicAddress, 9, kind === 'open' ? COMES : SILENT);
      assert.equal(closed, kind === 'open' ? 'refused' : null, 'a NAT does not reject, it drops');
    });
  }

  it('udp-blocked: no UDP at all, and any TCP', async () => {
    const probe = probes.get('udp-blocked')!;
    assert.equal(await probe.ask('udp', 5003, net.server.address, PORT, SILENT), null);
    assert.equal(await probe.ask('udp', 5003, net.server.address, 443, SILENT), null);
    assert.equal(await probe.ask('udp', 5003, thirdHost.address, 6001, SILENT), null);
    assert.notEqual(await probe.ask('tcp', 5003, net.server.address), null);
  });

  it('only-443: TCP to port 443, and nothing else', async () => {
    const probe = probes.get('only-443')!;
    assert.equal(await probe.ask('tcp', 5004, net.server.address, PORT, SILENT), null);
    assert.equal(await probe.ask('udp', 5004, net.server.address, 443, SILENT), null);
    assert.notEqual(await probe.ask('tcp', 5004, net.server.address, 443), null);
  });

  it('ipv6-only: no IPv4', async () => {
    const probe = probes.get('ipv6-only')!;
    assert.equal(await probe.ask('udp', 5005, net.server.address, PORT, SILENT), null);
    assert.equal(await probe.ask('tcp', 5005, net.server.address), 'ENETUNREACH');
  });

  it('TCP is punched between two cones, and not between a cone and a symmetric one', async () => {
    const [cone, double, symmetric] = (['cone', 'double', 'symmetric'] as const).map((kind) => ({
      probe: probes.get(kind)!,
      address: hosts.get(kind)!.publicAddress,
    }));
    const punch = (other: typeof cone, port: number, wait: number) =>
      Promise.all([
        cone!.probe.punch(port, other!.address, port, wait),
        other!.probe.punch(port, cone!.address, port, wait),
      ]);
    assert.deepEqual(await punch(double, 5006, COMES), [true, true]);
    assert.deepEqual(await punch(symmetric, 5007, SILENT), [null, null]);
  });

  it('two hosts on one LAN reach each other there, and not through the router’s public address', async () => {
    const first = hosts.get('cone')!;
    const second = await net.addHost('cone', { behind: first });
    const probe = probeOn(second);
    assert.equal(second.publicAddress, first.publicAddress);
    for (const protocol of ['udp', 'tcp'] as const) {
      await probes.get('cone')!.listen(protocol, first.address, 7010);
      assert.equal(await probe.ask(protocol, 5000, first.address, 7010), `${second.address} 5000`);
      const hairpin = await probe.ask(protocol, 5000, first.publicAddress, 7010, SILENT);
      assert.ok(hairpin === null || hairpin === 'refused', `no hairpin: ${hairpin}`);
    }
    second.cut({ tcp: true, to: first.addresses });
    assert.equal(await probe.ask('tcp', 5001, first.address, 7010, SILENT), null);
    assert.notEqual(await probe.ask('udp', 5000, first.address, 7010), null);
    second.remove();
    assert.notEqual(await probes.get('cone')!.ask('udp', 5000, net.server.address), null, 'the router stays');
  });

  for (const kind of ['open', 'cone', 'ipv6-only'] as const) {
    it(`${kind}: cut, healed, unplugged, moved`, async () => {
      const host = hosts.get(kind)!;
      const probe = probes.get(kind)!;
      const to = kind === 'ipv6-only' ? net.server.address6! : net.server.address;
      let port = 5020;
      const silent = async (protocol: Protocol, at = PORT) =>
        assert.equal(await probe.ask(protocol, port++, to, at, SILENT), null);
      const speaks = async (protocol: Protocol, at = PORT) =>
        assert.notEqual(await probe.ask(protocol, port++, to, at), null);
      host.cut({ udp: true, to });
      await silent('udp');
      await speaks('tcp');
      host.cut({ tcp: true, port: 443 });
      await silent('tcp', 443);
      await speaks('tcp');
      host.heal();
      await speaks('udp');
      await speaks('tcp', 443);
      host.cut();
      await silent('udp');
      host.heal();
      host.setLink('down');
      await silent('udp');
      host.setLink('up');
      await speaks('udp');
      const { address } = host;
      assert.notEqual(host.changeAddress(), address);
      const seen = String(await probe.ask('udp', port++, to));
      assert.equal(seen.split(' ')[0], host.publicAddress);
      assert.equal(host.publicAddress === host.address, kind !== 'cone');
    });
  }

  it('what is sent to an address that nobody has vanishes, and coturn lives with it', async () => {
    for (const nowhere of ['203.0.113.199', '198.51.100.7', '10.9.8.7']) {
      assert.equal(await third.ask('tcp', 6010, nowhere, 9, SILENT), null);
    }
    const coturn = await startCoturn(net.server, { secret: 'hive', realm: 'lab.example', staleNonce: 30 });
    try {
      const [word, ...words] = [...thirdHost.prefix, process.execPath, '--import', 'tsx', STRAY];
      const client = spawnSync(word!, [...words, coturn.address, String(coturn.port), '198.51.100.7'], {
        encoding: 'utf8',
        timeout: 20_000,
        env: { ...process.env, SECRET: 'hive' },
      });
      assert.equal(client.stdout.trim(), 'success', `${client.stderr}\n${coturn.log()}`);
      assert.doesNotMatch(coturn.log(), /closed|unreachable/);
      assert.ok(coturn.running());
    } finally {
      await coturn.stop();
    }
    assert.ok(!coturn.running());
  });
});

describe('lab: what is left of it', { skip }, () => {
  it('nothing, when a link cannot be made', async () => {
    const join = () => {
      throw new Error('no such link');
    };
    await assert.rejects(makeInternet({ join }), /no such link/);
    assert.deepEqual(ours(), []);
    const net = await makeInternet();
    try {
      const before = ours();
      for (const kind of ['open', 'double'] as const)
        await assert.rejects(net.addHost(kind, { join }), /no such link/);
      assert.deepEqual(ours(), before);
    } finally {
      net.remove();
    }
    assert.deepEqual(ours(), []);
  });

  it('no process, when a host goes', async () => {
    const net = await makeInternet();
    try {
      const [word, ...words] = [...net.server.prefix, 'sleep', '100'];
      const child = spawn(word!, words, { stdio: 'ignore' });
      const ended = once(child, 'exit');
      while (
        !execFileSync('ip', ['netns', 'pids', net.server.namespace], { encoding: 'utf8' }).includes(
          `${child.pid}`,
        )
      );
      net.remove();
      assert.deepEqual(await ended, [null, 'SIGKILL']);
    } finally {
      net.remove();
    }
  });
});

describe('lab: a router that maps ports', { skip }, () => {
  it('by NAT-PMP, for real', async () => {
    const net = await makeInternet({ net: ROUTABLE_NET });
    try {
      const host = await net.addHost('cone');
      const stranger = await net.addHost('open');
      const miniupnpd = await startMiniupnpd(host.router!);
      const [inside, outside] = [new Probe(host), new Probe(stranger)];
      try {
        await inside.listen('tcp', host.address, 7001);
        assert.equal(await outside.ask('tcp', 6000, host.publicAddress, 7001, SILENT), null);
        // RFC 6886, section 3.3: map TCP port 7001, for 600 s.
        const script = `const { createSocket } = require('node:dgram');
          const socket = createSocket('udp4');
          socket.on('message', (answer) => { console.log(answer.readUInt16BE(2)); socket.close(); });
          socket.send(Buffer.from([0, 2, 0, 0, 27, 89, 27, 89, 0, 0, 2, 88]), 5351, process.argv[1]);`;
        const [word, ...words] = [...host.prefix, process.execPath, '-e', script];
        const router = host.address.replace(/\d+$/, '1');
        const result = execFileSync(word!, [...words, router], { encoding: 'utf8', timeout: COMES });
        assert.equal(result.trim(), '0', miniupnpd.log());
        assert.equal(
          await outside.ask('tcp', 6000, host.publicAddress, 7001),
          `${stranger.address} 6000`,
          'forwarded, with the address of who asks',
        );
      } finally {
        await Promise.all([inside.end(), outside.end(), miniupnpd.stop()]);
      }
    } finally {
      net.remove();
    }
  });
});
