/**
 * A page in a browser and a command, or two pages, each in a network of its own: the server by TLS with a certificate of its
 * own making, a real coturn, real NATs. What carried is asserted by the kinds of lanes, and by what coturn says it passed on:
 * ICE often begins with TURN and moves to a better pair.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { type HostKind, type Internet, type LabHost, makeInternet, whyNoLab } from '../../lab/network.ts';
import { type Coturn, startCoturn } from '../../lab/services.ts';
import { closeBrowser, launch, whyNoBrowser } from '../browser/harness/browsers.ts';
import type { BeelinePage } from '../browser/harness/page.ts';
import { Stage } from '../browser/harness/stage.ts';
import type { Line } from '../integration/command.ts';
import { Workspace as Work, type Workspace } from '../integration/workspace.ts';

const missing = whyNoLab('turnserver') ?? whyNoBrowser('chromium');
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;
const SIZE = 64 * 2 ** 20;
/** Slow enough for what connects to carry before the relay, by which every transfer begins, has carried all. */
const LIMIT = ['--limit', '4M'];
const SECRET = 'lab secret';

describe('lab: pages behind NATs', { skip }, () => {
  let work: Workspace;
  let internet: Internet | undefined;
  let coturn: Coturn | undefined;
  let origin: string;
  let trust: Record<string, string>;

  before(async () => {
    assert.equal(missing, undefined);
    work = new Work();
    makeFile(work.path('one.bin'), SIZE);
    internet = await makeInternet();
    const { server } = internet;
    coturn = await startCoturn(server, { secret: SECRET });
    const [cert, key] = [work.path('server.crt'), work.path('server.key')];
    const subject = ['-subj', '/CN=beeline lab', '-addext', `subjectAltName=IP:${server.address}`];
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...made, ...subject, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
      timeout: 20_000,
    });
    trust = { NODE_EXTRA_CA_CERTS: cert };
    const words = ['--port', '443', '--tls-cert', cert, '--tls-key', key, '--turn-url', coturn.url];
    const command = work.start(['server', ...words, '--turn-secret', SECRET], {
      prefix: server.prefix,
      deadline: 900_000,
    });
    await command.until('listening');
    origin = `https://${server.address}`;
  });
  after(async () => {
    await work?.dispose();
    await coturn?.stop();
    internet?.remove();
  });

  /** A machine of this kind, gone when the test ends. */
  async function host(t: TestContext, kind: HostKind, behind?: LabHost): Promise<LabHost> {
    const made = await internet!.addHost(kind, { behind });
    t.after(() => made.remove());
    return made;
  }

  /** A browser on that machine with the page open, as its user has it: its own address is behind an mDNS name. */
  async function pageOn(t: TestContext, machine: LabHost): Promise<{ page: BeelinePage; stage: Stage }> {
    const folder = work.folder(`browser-${machine.namespace}`);
    const browser = await launch('chromium', {
      folder,
      prefix: machine.prefix,
      mdns: true,
      args: ['--ignore-certificate-errors'],
    });
    const stage = new Stage(browser, folder, 'chromium');
    t.after(async () => {
      await stage.dispose();
      await closeBrowser(browser);
    });
    const page = await stage.tab(origin);
    await page.open();
    return { page, stage };
  }

  const meet = () => ['--no-lan', '--server', origin, ...LIMIT];

  /** A command on one machine sends to a page on another; the lanes that the command had. */
  async function commandToPage(t: TestContext, from: LabHost, to: LabHost): Promise<Line[]> {
    const send = work.start(['send', work.path('one.bin'), ...meet()], { prefix: from.prefix, env: trust });
    const { code } = await send.until('code');
    const { page, stage } = await pageOn(t, to);
    await page.receive(String(code));
    await page.reaches('completed');
    const { events } = await send.ends(0);
    const [saved] = await stage.saved(work.path('one.bin'));
    sameFile(work.path('one.bin'), saved!);
    return tell(t, events);
  }

  async function pageToCommand(t: TestContext, from: LabHost, to: LabHost): Promise<Line[]> {
    const { page } = await pageOn(t, from);
    await page.choose(work.path('one.bin'));
    const out = work.folder(`out-${to.namespace}`);
    const words = ['receive', await page.code(), '--yes', '--to', out, ...meet()];
    const { events } = await work.start(words, { prefix: to.prefix, env: trust }).ends(0);
    await page.reaches('completed');
    sameFile(work.path('one.bin'), `${out}/one.bin`);
    return tell(t, events);
  }

  /** Lanes as they closed, with what they carried. */
  function tell(t: TestContext, events: readonly Line[]): Line[] {
    const lanes = events.filter(({ event, status }) => event === 'lane' && status === 'closed');
    for (const { kind, local, remote, bytes } of lanes)
      console.log(`# ${t.name}: ${kind} ${local} - ${remote}, ${bytes} bytes`);
    return lanes;
  }

  const carried = (lanes: readonly Line[], kind: string) =>
    lanes.filter((lane) => lane.kind === kind).reduce((sum, { bytes }) => sum + Number(bytes), 0);

  /** Bytes that coturn has passed on from and to peers: it logs them every 2048 packets of an allocation, and at its end. */
  const turned = () =>
    [...coturn!.log().matchAll(/peer usage: .*, rb=(\d+), sp=\d+, sb=(\d+)/g)].reduce(
      (sum, [, received, sent]) => sum + Number(received) + Number(sent),
      0,
    );

  for (const [name, run] of [
    ['a command sends to a page', commandToPage],
    ['a page sends to a command', pageToCommand],
  ] as const) {
    /** WebRTC carried a good part, and by TURN or not as is expected. */
    const expectTurn = async (expected: boolean, t: TestContext, from: LabHost, to: LabHost) => {
      const before = turned();
      const webrtc = carried(await run(t, from, to), 'webrtc');
      assert.ok(webrtc > SIZE / 10, `${webrtc} bytes by WebRTC`);
      const share = () => (turned() - before) / webrtc;
      // The last packets of an allocation are logged when it ends, which is when the browser has closed it.
      for (let tries = 0; expected && share() < 0.5 && tries < 100; tries++) await delay(100);
      console.log(`# ${t.name}: ${Math.round(100 * share())} % of ${webrtc} bytes by WebRTC through TURN`);
      if (expected) assert.ok(share() >= 0.5);
      else assert.ok(share() < 0.3);
    };

    it(`${name}, both behind cones: directly`, async (t) => {
      await expectTurn(false, t, await host(t, 'cone'), await host(t, 'cone'));
    });

    it(`${name}, both behind symmetric NATs: through TURN`, async (t) => {
      await expectTurn(true, t, await host(t, 'symmetric'), await host(t, 'symmetric'));
    });

    it(`${name}, on one LAN: directly`, async (t) => {
      const from = await host(t, 'cone');
      await expectTurn(false, t, from, await host(t, 'cone', from));
    });
  }

  it('a page whose network lets out no UDP: through the relay, by WebSocket', async (t) => {
    const lanes = await commandToPage(t, await host(t, 'cone'), await host(t, 'udp-blocked'));
    assert.equal(carried(lanes, 'webrtc'), 0);
    assert.ok(carried(lanes, 'relay') >= SIZE);
  });

  it('a page that sends to a command whose network lets out no UDP', async (t) => {
    const lanes = await pageToCommand(t, await host(t, 'cone'), await host(t, 'udp-blocked'));
    assert.equal(carried(lanes, 'webrtc'), 0);
    assert.ok(carried(lanes, 'relay') >= SIZE);
  });

  it('two pages behind cones: WebRTC joins the relay', async (t) => {
    makeFile(work.path('large.bin'), 2 * SIZE);
    const from = await pageOn(t, await host(t, 'cone'));
    const to = await pageOn(t, await host(t, 'cone'));
    await from.page.choose(work.path('large.bin'));
    await to.page.receive(await from.page.code());
    await to.page.shows("/WebRTC/.test(document.querySelector('#path')?.textContent)");
    await to.page.reaches('completed', 120_000);
    await from.page.reaches('completed');
    const [saved] = await to.stage.saved(work.path('large.bin'));
    sameFile(work.path('large.bin'), saved!);
  });
});
