/** The doctor behind every kind of NAT and firewall of the lab: it must tell them apart. From source, no build needed. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type HostKind, type Internet, makeInternet, ROUTABLE_NET, whyNoLab } from '../../lab/network.ts';
import { isBound, Program } from '../../lab/process.ts';
import { type Coturn, type Service, startCoturn, startMiniupnpd } from '../../lab/services.ts';
import type { Diagnosis } from '../../src/node/doctor/diagnosis.ts';

const SOURCE = new URL('../../src/', import.meta.url);
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const NODE = [process.execPath, '--import', import.meta.resolve('tsx')];
/** What `only-443` lets out. */
const PORT = 443;
const SECRET = 'a secret of the lab';
/** Milliseconds. */
const DEADLINE = 30_000;

type Outcome = { diagnosis: Diagnosis; advice: string };

interface Case {
  kind: HostKind;
  /** Mapping, or false for what must not get through; absent: not looked at. */
  udp4?: string | false;
  tcp4?: string | false;
  udp6?: string | false;
  filtering?: string;
  turn: boolean;
  says: RegExp;
  not?: RegExp;
}

const CASES: Case[] = [
  {
    ...{ kind: 'open', udp4: 'none', tcp4: 'none', filtering: 'open', turn: true },
    ...{ says: /No NAT changes/, not: /symmetric|UPnP/ },
  },
  {
    ...{ kind: 'full-cone', udp4: 'endpoint-independent', tcp4: 'endpoint-independent', filtering: 'open' },
    ...{ turn: true, says: /"cone".*No router answers/s },
  },
  {
    ...{ kind: 'cone', udp4: 'endpoint-independent', tcp4: 'endpoint-independent', filtering: 'dependent' },
    ...{ turn: true, says: /"cone".*maps ports when asked/s, not: /No router answers|of no use/ },
  },
  {
    ...{ kind: 'symmetric', udp4: 'dependent', tcp4: 'dependent', filtering: 'dependent', turn: true },
    ...{ says: /another "symmetric" one only a relay/, not: /UDP does not get/ },
  },
  {
    ...{ kind: 'double', udp4: 'endpoint-independent', tcp4: 'endpoint-independent', filtering: 'dependent' },
    ...{ turn: true, says: /"cone"/ },
  },
  {
    ...{ kind: 'udp-blocked', udp4: false, tcp4: 'endpoint-independent', turn: true },
    ...{ says: /UDP does not get.*TCP hole punching/ },
  },
  {
    ...{ kind: 'only-443', udp4: false, tcp4: 'unknown', turn: false },
    ...{ says: /UDP does not get.*expect a relay/, not: /a transfer fails/ },
  },
  {
    ...{ kind: 'ipv6-only', udp6: 'none', filtering: 'dependent', turn: false },
    ...{ says: /firewall lets in only answers.*IPv6 works here/s, not: /UDP does not get/ },
  },
];

const missing = whyNoLab('turnserver', 'miniupnpd');
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

/** What a case names of a diagnosis. */
function found({ udp4, tcp4, udp6, relay, turn, router }: Diagnosis) {
  const mapping = (check: Diagnosis['tcp4']) => check && (check.ok ? check.mapping : false);
  const udp = udp4 ?? udp6;
  const nat = { udp4: mapping(udp4), tcp4: mapping(tcp4), udp6: mapping(udp6) };
  const filtering = udp?.ok ? udp.filtering : undefined;
  return { ...nat, filtering, relay: relay?.ok, turn: turn?.ok, router: router?.ok };
}

describe('lab: the doctor', { skip, timeout: 300_000 }, () => {
  let internet: Internet;
  let server: Program;
  let coturn: Coturn;
  const others: Service[] = [];

  before(async () => {
    assert.equal(missing, undefined);
    // Debian's miniupnpd serves no router with a reserved address.
    internet = await makeInternet({ net: ROUTABLE_NET });
    coturn = await startCoturn(internet.server, { secret: SECRET });
    server = new Program('doctor-server');
    const module = JSON.stringify(new URL('server/index.ts', SOURCE).href);
    const options = JSON.stringify({ port: PORT, turn: { urls: [coturn.url], secret: SECRET } });
    const code = `import { startServer } from ${module}; await startServer(${options});`;
    await server.start(
      internet.server,
      [...NODE, '--input-type=module', '--eval', code],
      (pid) => isBound(pid, 'tcp', PORT) && isBound(pid, 'udp', PORT) && isBound(pid, 'udp', PORT + 1),
    );
  });
  after(async () => {
    for (const other of others) await other.stop();
    await server?.stop();
    await coturn?.stop();
    internet?.remove();
  });

  async function look(prefix: readonly string[], url: string): Promise<Outcome> {
    const [word, ...words] = [...prefix, process.execPath, MAIN, 'doctor', '--json', '--server', url];
    const env = { ...process.env, HTTP_PROXY: '', http_proxy: '', ALL_PROXY: '', all_proxy: '' };
    const text = await new Promise<string>((resolve, reject) => {
      execFile(word!, words, { env, timeout: DEADLINE }, (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      );
    });
    const { event, advice, ...diagnosis } = JSON.parse(text.trim().split('\n').at(-1)!);
    assert.equal(event, 'diagnosis');
    return { diagnosis, advice: advice.join('\n') };
  }

  for (const { kind, udp4, tcp4, udp6, filtering, turn, says, not } of CASES)
    it(kind, async () => {
      const host = await internet.addHost(kind);
      const mapped = kind === 'cone' && host.router !== undefined;
      if (mapped) others.push(await startMiniupnpd(host.router));
      const { address, address6 } = internet.server;
      const name = kind === 'ipv6-only' ? `[${address6}]` : address;
      const url = `ws://${name}:${PORT}`;
      const expected = { udp4, tcp4, udp6, filtering, relay: true, turn, router: mapped };
      let { diagnosis, advice } = await look(host.prefix, url);
      // On a busy machine answers may come too late for it to find what is there: it is asked again.
      for (let more = 0; more < 3 && !isDeepStrictEqual(found(diagnosis), expected); more++)
        ({ diagnosis, advice } = await look(host.prefix, url));
      assert.deepEqual(found(diagnosis), expected, JSON.stringify(diagnosis));
      const { router } = diagnosis;
      if (router?.ok) {
        assert.equal(router.host, host.publicAddress);
        const [word, ...words] = [
          ...host.router!.prefix,
          'nft',
          'list',
          'chain',
          'inet',
          'miniupnpd',
          'mapping',
        ];
        assert.doesNotMatch(execFileSync(word!, words, { encoding: 'utf8' }), /dnat/, 'it was given back');
      }
      assert.match(advice, says);
      if (not) assert.doesNotMatch(advice, not);
    });
});
