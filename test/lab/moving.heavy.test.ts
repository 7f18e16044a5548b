/** Paths that come, go and change while files move. What is measured in seconds is printed, and decides nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { type HostKind, type Internet, type LabHost, makeInternet, whyNoLab } from '../../lab/network.ts';
import { type Coturn, startCoturn } from '../../lab/services.ts';
import { distant, whyNoWan } from '../../lab/wan.ts';
import type { Command, Line } from '../integration/command.ts';
import { event, Workspace } from '../integration/workspace.ts';

const missing = whyNoLab('turnserver') ?? whyNoWan();
// On CI a missing prerequisite is a failure (the `before` hook throws), elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;
const SIZE = 96 * 1024 * 1024;

describe('lab: paths that change under way', { skip, concurrency: 2 }, () => {
  let work: Workspace;
  let internet: Internet | undefined;
  let url: string;
  let turnUrl: string;
  let coturn: Coturn | undefined;

  before(async () => {
    assert.equal(missing, undefined);
    work = new Workspace();
    makeFile(work.path('file'), SIZE);
    internet = await makeInternet({ join: distant(10) });
    const { server } = internet;
    coturn = await startCoturn(server, { secret: 'lab secret', staleNonce: 30 });
    const prefix = server.prefix;
    const serve = async (...args: string[]) => {
      const command = work.start(['server', ...args], { prefix, deadline: 900_000 });
      const { port } = await command.until('listening');
      return `http://${server.address}:${port}`;
    };
    url = await serve('--port', '4848');
    turnUrl = await serve('--port', '4850', '--turn-url', coturn.url, '--turn-secret', 'lab secret');
  });
  after(async () => {
    await work?.dispose();
    await coturn?.stop();
    internet?.remove();
  });

  interface Crossing {
    sender: LabHost;
    receiver: LabHost;
    send: Command;
    receive: Command;
    ends(): Promise<Line>;
  }

  /** Two hosts of these kinds, and a transfer between them that has begun. */
  async function crossing(
    t: TestContext,
    kinds: readonly [HostKind, HostKind],
    options: {
      limit?: string;
      server?: string;
      prepare?: (sender: LabHost, receiver: LabHost) => void;
      flags?: string[];
    } = {},
  ): Promise<Crossing> {
    const [sender, receiver] = [await internet!.addHost(kinds[0]), await internet!.addHost(kinds[1])];
    t.after(() => {
      receiver.remove();
      sender.remove();
    });
    options.prepare?.(sender, receiver);
    const { limit = '8M', server = url, flags = [] } = options;
    const meet = ['--no-lan', '--server', server, ...flags];
    const send = work.start(['send', work.path('file'), '--limit', limit, ...meet], {
      prefix: sender.prefix,
    });
    const { code } = await send.until('code');
    const to = work.folder(`out-${sender.namespace}`);
    const receive = work.start(['receive', String(code), '--yes', '--to', to, ...meet], {
      prefix: receiver.prefix,
    });
    await receive.until((line) => line.event === 'progress' && Number(line.bytes) > 0);
    const ends = async () => {
      const received = await receive.ends(0);
      await send.ends(0);
      sameFile(work.path('file'), `${to}/file`);
      return event(received, 'done');
    };
    return { sender, receiver, send, receive, ends };
  }

  const lane =
    (kind: string, status = 'open') =>
    (line: Line) =>
      line.event === 'lane' && line.kind === kind && line.status === status;
  /** In bytes a second: far more than what keeps a lane alive, and what any carrying lane has on a busy machine too. */
  const CARRYING = 5e4;
  const carriedBy = (kind: string) => (line: Line) =>
    line.event === 'progress' && ((line.by as Record<string, number>)[kind] ?? 0) > CARRYING;
  /** Of what comes from now on. */
  const fromNow = (command: Command, wanted: (line: Line) => boolean) => {
    const before = command.events.length;
    return command.until((line) => wanted(line) && command.events.indexOf(line) >= before);
  };
  const times = (command: Command, state: string) =>
    command.events.filter((line) => line.event === 'state' && line.to === state).length;

  const reaches = (host: string) => (line: Line) =>
    line.event === 'lane' && line.status === 'open' && String(line.remote).startsWith(`${host}:`);
  /** A lane that is opened from now on. */
  const opened = (command: Command) => {
    const before = command.events.length;
    return (line: Line) =>
      line.event === 'lane' && line.status === 'open' && command.events.indexOf(line) >= before;
  };
  /** The second time that it is connected. */
  const again = (command: Command) => (line: Line) =>
    line.event === 'state' && line.to === 'transferring' && times(command, 'transferring') > 1;

  async function seconds(t: TestContext, what: string, wait: Promise<unknown>): Promise<void> {
    const began = performance.now();
    await wait;
    console.log(`# ${t.name}: ${what} after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }

  it('a transfer that began on the relay is carried by a direct lane, without a pause', async (t) => {
    const { sender, receive, ends } = await crossing(t, ['cone', 'cone'], {
      prepare: (from, to) => from.cut({ to: to.addresses }),
      limit: '3M',
    });
    await receive.until(carriedBy('relay'));
    sender.heal();
    const direct = (line: Line) => carriedBy('punched')(line) || carriedBy('udx')(line);
    await seconds(t, 'a punched lane carries', receive.until(direct));
    await seconds(t, 'the relay is let go', receive.until(lane('relay', 'closed')));
    await ends();
    assert.equal(times(receive, 'transferring'), 1, 'never without a lane');
    const { events } = receive;
    const before = events.slice(0, events.findIndex(lane('relay', 'closed')));
    const come = before.findLast(({ event }) => event === 'progress')!;
    assert.ok(Number(come.bytes) < 0.9 * Number(come.total), `the relay carried until ${come.bytes} bytes`);
  });

  it('a direct path that is cut: the relay goes on, and no byte is lost', async (t) => {
    const { sender, receiver, receive, ends } = await crossing(t, ['cone', 'cone']);
    await receive.until(lane('punched'));
    await receive.until(carriedBy('punched'));
    sender.cut({ to: receiver.addresses });
    await seconds(t, 'the relay carries', fromNow(receive, carriedBy('relay')));
    await ends();
  });

  it('a direct path that is cut soon after the server was restarted: the relay goes on', async (t) => {
    const { server } = internet!;
    const serve = async () => {
      const options = { prefix: server.prefix, deadline: 300_000 };
      const command = work.start(['server', '--port', '4852'], options);
      await command.until('listening');
      return command;
    };
    const first = await serve();
    const { sender, receiver, receive, ends } = await crossing(t, ['cone', 'cone'], {
      server: `http://${server.address}:4852`,
      limit: '3M',
    });
    await receive.until(carriedBy('punched'));
    await first.kill();
    await sleep(4000);
    await serve();
    await sleep(7000);
    sender.cut({ to: receiver.addresses });
    await seconds(t, 'the relay carries', fromNow(receive, carriedBy('relay')));
    await ends();
  });

  it('UDP between two cones whose TCP does not get through', async (t) => {
    const { receive, ends } = await crossing(t, ['cone', 'cone'], {
      prepare: (sender, receiver) => sender.cut({ tcp: true, to: receiver.addresses }),
      flags: ['--relay', 'never'],
    });
    await receive.until(carriedBy('udx'));
    await ends();
  });

  it('TURN between two symmetric NATs, with a nonce that goes stale', async (t) => {
    const { receive, ends } = await crossing(t, ['symmetric', 'symmetric'], { server: turnUrl });
    await receive.until(carriedBy('turn'));
    await ends();
  });

  it('--relay only: nothing else, though all would be possible', async (t) => {
    const { receive, ends } = await crossing(t, ['open', 'open'], {
      flags: ['--relay', 'only'],
      limit: '50M',
    });
    await ends();
    assert.ok(receive.events.filter((line) => line.event === 'lane').every((line) => line.kind === 'relay'));
  });

  it('--relay never: a pair that has no other way is told so', async (t) => {
    const [sender, receiver] = [await internet!.addHost('symmetric'), await internet!.addHost('symmetric')];
    t.after(() => {
      receiver.remove();
      sender.remove();
    });
    const meet = ['--no-lan', '--server', url, '--relay', 'never'];
    const send = work.start(['send', work.path('file'), ...meet], { prefix: sender.prefix });
    const { code } = await send.until('code');
    const receive = work.start(['receive', String(code), '--yes', '--to', work.folder('never'), ...meet], {
      prefix: receiver.prefix,
    });
    const { stderr } = await receive.ends(6);
    assert.match(stderr, /no connection to it can be opened/);
    await send.kill();
  });

  it('the receiver gets another address', async (t) => {
    const { receiver, receive, ends } = await crossing(t, ['cone', 'cone']);
    await receive.until(carriedBy('punched'));
    const later = opened(receive);
    receiver.changeAddress();
    await seconds(t, 'a lane again', receive.until(later));
    await ends();
  });

  it('the sender gets another address', async (t) => {
    const { sender, receive, ends } = await crossing(t, ['open', 'cone']);
    await receive.until(carriedBy('tcp'));
    const moved = sender.changeAddress();
    await seconds(t, 'a lane to where it is now', receive.until(reaches(moved)));
    await ends();
  });

  it('an interface goes down for a while', async (t) => {
    const { receiver, receive, ends } = await crossing(t, ['cone', 'cone']);
    await receive.until(carriedBy('punched'));
    receiver.setLink('down');
    await seconds(
      t,
      'noticed',
      receive.until(
        (line) => line.event === 'state' && line.to === 'connecting' && line.from === 'transferring',
      ),
    );
    receiver.setLink('up');
    await seconds(t, 'bytes again', receive.until(again(receive)));
    await ends();
  });

  it("without a server: the sender's own rendezvous is found again by --at", async (t) => {
    const [sender, receiver] = [await internet!.addHost('open'), await internet!.addHost('cone')];
    t.after(() => {
      receiver.remove();
      sender.remove();
    });
    const send = work.start(['send', work.path('file'), '--no-lan', '--port', '4900', '--limit', '8M'], {
      prefix: sender.prefix,
    });
    const { code } = await send.until('code');
    const to = work.folder(`out-${sender.namespace}`);
    const receive = work.start(
      ['receive', String(code), '--yes', '--no-lan', '--at', `${sender.address}:4900`, '--to', to],
      { prefix: receiver.prefix },
    );
    await receive.until(carriedBy('tcp'));
    receiver.changeAddress();
    await seconds(t, 'bytes again', receive.until(again(receive)));
    await receive.ends(0);
    await send.ends(0);
    sameFile(work.path('file'), `${to}/file`);
  });

  it('without a server: a sender that moves on the LAN is found again by mDNS', async (t) => {
    const sender = await internet!.addHost('cone');
    const receiver = await internet!.addHost('cone', { behind: sender });
    t.after(() => {
      receiver.remove();
      sender.remove();
    });
    const send = work.start(['send', work.path('file'), '--limit', '8M'], { prefix: sender.prefix });
    const { code } = await send.until('code');
    const to = work.folder(`out-${sender.namespace}`);
    const receive = work.start(['receive', String(code), '--yes', '--to', to], { prefix: receiver.prefix });
    await receive.until(carriedBy('tcp'));
    const moved = sender.changeAddress();
    await seconds(t, 'a lane to where it is now', receive.until(reaches(moved)));
    await receive.ends(0);
    await send.ends(0);
    sameFile(work.path('file'), `${to}/file`);
  });
});
