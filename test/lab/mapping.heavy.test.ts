/** Ports mapped by a real router (Debian's miniupnpd) in each of its protocols, used from outside, and taken back. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { nft, prefixOf } from '../../lab/ip.ts';
import { type Internet, type LabHost, makeInternet, ROUTABLE_NET, whyNoLab } from '../../lab/network.ts';
import { type Service, startMiniupnpd } from '../../lab/services.ts';
import { childModule } from '../child.ts';
import { type Event, LabProgram } from './punch-lab.ts';

const PEER = childModule('test/lab/mapping-peer.ts');

const missing = whyNoLab('miniupnpd');
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;
/** Milliseconds: the end waits 0.8 s for a router, and this machine may be busy; one that hung would take far longer. */
const CLOSE_LIMIT = 5_000;
const COMMAND_DEADLINE = 10_000;

/** What the router must not hear, so that it is asked in the protocol: the first byte of a datagram is its version. */
const DEAF: Record<string, string> = {
  PCP: '',
  'NAT-PMP': 'insert rule inet router input udp dport 5351 @th,64,8 2 drop',
  UPnP: 'insert rule inet router input udp dport 5351 drop',
};

const ECHO = `
  const [host, tcp, udp] = process.argv.slice(1);
  const socket = require('net').connect(+tcp, host, () => socket.write('over TCP'));
  socket.on('data', (bytes) => { console.log(String(bytes)); socket.destroy(); });
  const datagrams = require('dgram').createSocket('udp4');
  datagrams.on('message', (bytes) => { console.log(String(bytes)); datagrams.close(); });
  datagrams.send('over UDP', +udp, host);`;

describe('lab: ports mapped by the router', { skip, timeout: 120_000 }, () => {
  let internet: Internet | undefined;
  let host: LabHost | undefined;
  let daemon: Service | undefined;
  let program: LabProgram | undefined;

  before(async () => {
    assert.equal(missing, undefined);
    internet = await makeInternet({ net: ROUTABLE_NET });
  });
  afterEach(async () => {
    await program?.stop();
    await daemon?.stop();
    host?.remove();
    program = daemon = host = undefined;
  });
  after(() => internet?.remove());

  const start = () => new LabProgram(host!, PEER);
  const redirections = () =>
    execFileSync(
      'ip',
      [...prefixOf(host!.router!.namespace).slice(1), 'nft', 'list', 'table', 'inet', 'miniupnpd'],
      { encoding: 'utf8', timeout: COMMAND_DEADLINE },
    ).match(/dport \d+ dnat ip to \S+/g) ?? [];

  for (const protocol of ['PCP', 'NAT-PMP', 'UPnP']) {
    it(`${protocol}: both ports are reachable from outside, and closed again at the end`, async (t) => {
      host = await internet!.addHost('cone');
      daemon = await startMiniupnpd(host.router!);
      if (DEAF[protocol]) nft(host.router!.namespace, DEAF[protocol]);
      program = start();
      const mapped: Event[] = [await program.next('mapped'), await program.next('mapped')];
      const outer = (transport: string) => mapped.find((each) => each.transport === transport)!;
      for (const transport of ['tcp', 'udp']) {
        const { address, protocol: used, ms } = outer(transport);
        assert.equal(used, protocol);
        assert.equal((address as { host: string }).host, host.publicAddress);
        t.diagnostic(`${transport} mapped after ${ms} ms`);
      }
      assert.equal(redirections().length, 2);

      const [tcp, udp] = ['tcp', 'udp'].map((each) => String((outer(each).address as { port: number }).port));
      const [word, ...words] = [...internet!.server.prefix, process.execPath, '-e', ECHO];
      const said = execFileSync(word!, [...words, host.publicAddress, tcp!, udp!], {
        encoding: 'utf8',
        timeout: COMMAND_DEADLINE,
      });
      assert.deepEqual(said.trim().split('\n').sort(), ['over TCP', 'over UDP']);

      program.end();
      const { ms } = await program.next('ended');
      assert.ok((ms as number) < CLOSE_LIMIT, `${ms} ms`);
      // The router was told; the end does not wait for it longer than it must.
      for (let tries = 0; redirections().length > 0 && tries < 100; tries++) await delay(100);
      assert.deepEqual(redirections(), []);
    });
  }

  it('an outer port that another machine has is replaced by another one', async () => {
    host = await internet!.addHost('cone');
    daemon = await startMiniupnpd(host.router!);
    nft(host.router!.namespace, DEAF.UPnP!);
    const neighbour = await internet!.addHost('cone', { behind: host });
    try {
      const first = new LabProgram(neighbour, PEER, '47100');
      try {
        await first.next('mapped');
        program = new LabProgram(host, PEER, '47100');
        const { address } = (await program.until('mapped')).at(-1)!;
        assert.notEqual((address as { port: number }).port, 47100);
        const same = redirections().filter((each) => each.includes('dport 47100 '));
        assert.deepEqual(new Set(same), new Set([`dport 47100 dnat ip to ${neighbour.address}:47100`]));
      } finally {
        await first.stop();
      }
    } finally {
      neighbour.remove();
    }
  });

  it('a router that maps nothing is given up without holding up the end', async () => {
    host = await internet!.addHost('cone');
    program = start();
    await program.next('ports');
    for (let logs = 0; logs < 6; logs++) await program.next('log');
    program.end();
    const events = await program.until('ended');
    assert.ok((events.at(-1)!.ms as number) < CLOSE_LIMIT);
    assert.equal(events.filter(({ event }) => event === 'mapped').length, 0);
  });
});
