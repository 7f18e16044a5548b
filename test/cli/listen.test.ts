/** What `beeline listen` says of what arrives, and what it hands to the library. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { ArrivalsReport } from '../../src/cli/arrivals-report.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { inboxMetrics } from '../../src/cli/metrics.ts';
import { Screen } from '../../src/cli/screen.ts';
import type { Inbox, InboxEvent, ListenOptions } from '../../src/node/inbox.ts';
import { fakeHost, Keyboard, Sink } from './fakes.ts';

const offer: Extract<InboxEvent, { event: 'offer' }> = {
  event: 'offer',
  ...{ arrival: 1, device: 'laptop', accepted: true, kind: 'files', update: false },
  ...{ files: 2, folders: 0, links: 0, bytes: 3000, names: ['a.txt', 'b\u202e.txt'], tops: 2 },
};
const done = { event: 'done', files: 2, bytes: 3000, resumed: 0, seconds: 2, root: 'ab' } as const;
const of = (arrival: number) => ({ arrival, device: 'laptop' });
const STORY: InboxEvent[] = [
  { event: 'watching', devices: 2, server: 'ws://h', lan: true },
  { event: 'server', reachable: false, message: 'The server is gone.' },
  { event: 'server', reachable: true },
  { event: 'arrival', ...of(1), way: 'lan', to: '/in' },
  offer,
  { event: 'progress', bytes: 1500, total: 3000, rate: 700, eta: 1, files: 0, by: {}, ...of(1) },
  { event: 'arrival', ...of(2), way: 'lan', to: '/in' },
  { ...offer, arrival: 2, accepted: false, message: 'Too much.' },
  { event: 'error', code: 'REFUSED', message: 'Too much.', ...of(2) },
  { ...done, ...of(1) },
  { event: 'arrival', ...of(3), way: 'server', to: '/in' },
  { event: 'error', code: 'NO_PATH', message: 'It went away.', ...of(3) },
  { event: 'warning', device: 'phone', code: 'AUTHENTICATION', message: 'It is another one.' },
  { event: 'waiting', item: 4, device: 'phone', paths: ['/x/film.mkv'] },
  { event: 'sent', item: 4, device: 'phone', paths: ['/x/film.mkv'], files: 1, bytes: 9, seconds: 1 },
];

function inbox(events: readonly InboxEvent[], given: { options?: ListenOptions } = {}, error?: BeelineError) {
  return (options: ListenOptions): Inbox => {
    given.options = options;
    let tell = (_: InboxEvent) => {};
    return {
      subscribe(listener) {
        tell = listener;
        return () => {};
      },
      done: new Promise((end, fail) =>
        setImmediate(() => {
          for (const event of events) tell(event);
          if (error) fail(error);
          else end();
        }),
      ),
      close() {},
    };
  };
}

describe('cli: listen', () => {
  it('has a line for each arrival: who, what, how much and where', async () => {
    const host = { ...fakeHost(), listen: async () => inbox(STORY) };
    assert.equal(await dispatch(['listen', '--to', '/in'], host), 0);
    assert.deepEqual(host.stderr.text.trimEnd().split('\n'), [
      'Waiting for 2 trusted devices, at ws://h and on the local network. Ctrl-C stops.',
      'The server is gone. Trying again.',
      'The server is there again.',
      'laptop sends a.txt, b\\u{202e}.txt (2 files, 3.00 kB).',
      'laptop offered a.txt, b\\u{202e}.txt (2 files, 3.00 kB). Not taken: Too much.',
      'Received from laptop: a.txt, b\\u{202e}.txt (2 files, 3.00 kB), verified, in 2.0s (1.50 kB/s), into /in',
      'Not received from laptop: It went away.',
      'Warning: phone: It is another one.',
      'Item 4 of the outbox, film.mkv, waits for phone.',
      'Sent to phone: film.mkv (9 B), verified, in 1.0s.',
    ]);
    assert.equal(host.stdout.text, '');
  });

  it('--quiet says nothing, and --json every event and nothing else', async () => {
    const quiet = { ...fakeHost(), listen: async () => inbox(STORY) };
    assert.equal(await dispatch(['listen', '-q'], quiet), 0);
    assert.equal(quiet.stderr.text, '');
    const json = { ...fakeHost(), listen: async () => inbox(STORY) };
    assert.equal(await dispatch(['listen', '--json'], json), 0);
    assert.equal(json.stderr.text, '');
    const lines = json.stdout.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(lines, JSON.parse(JSON.stringify(STORY)));
  });

  it('a text is what stands on stdout, and cannot steer a terminal', async () => {
    const text: InboxEvent[] = [
      STORY[3]!,
      { ...offer, kind: 'text', names: [] },
      { event: 'text', text: 'hi\u001b[2J', ...of(1) },
      { ...done, ...of(1) },
    ];
    const pipe = { ...fakeHost(), listen: async () => inbox(text) };
    await dispatch(['listen'], pipe);
    assert.equal(pipe.stdout.text, 'hi\u001b[2J\n');
    assert.match(pipe.stderr.text, /Text from laptop:/);
    const terminal = { ...fakeHost({ stdout: new Sink(true) }), listen: async () => inbox(text) };
    await dispatch(['listen'], terminal);
    assert.doesNotMatch(terminal.stdout.text, /\u001b\[2J/);
  });

  it('asks only where there is a terminal, and once at a time', async () => {
    const given: { options?: ListenOptions } = {};
    const none = { ...fakeHost(), listen: async () => inbox([], given) };
    await dispatch(['listen', '--once', '--no-lan', '--limit', '5k', '--to', 'in'], none);
    const { ask, to, once, outbox, lan, limit, overwrite } = given.options!;
    assert.deepEqual(
      { ask, to, once, outbox, lan, limit, overwrite },
      { ask: undefined, to: 'in', once: true, outbox: false, lan: false, limit: 5000, overwrite: undefined },
    );
    const keyboard = new Keyboard();
    const screen = new Sink(true);
    const answers: boolean[] = [];
    const device = { name: 'laptop', key: 'k', inbox: { ask: true, to: '/own' } };
    const asked = { ...offer, peer: { fingerprint: 'ab', name: 'laptop' } };
    const there = {
      ...fakeHost({ stdin: keyboard, stderr: screen }),
      listen: async () => (options: ListenOptions) => {
        const both = [options.ask!(asked, device), options.ask!(asked, { name: 'x', key: 'k' })];
        setTimeout(() => keyboard.write('y\r'), 20);
        const done = Promise.resolve(both[0]).then(async (first) => {
          keyboard.write('n\r');
          answers.push(first as boolean, (await both[1]) as boolean);
        });
        return { subscribe: () => () => {}, done, close() {} };
      },
    };
    assert.equal(await dispatch(['listen', '--to', 'in'], there), 0);
    assert.deepEqual(answers, [true, false]);
    assert.match(screen.text, /Accept into \/own\?/);
    assert.ok(screen.text.includes(`Accept into ${resolve('in')}?`));
  });

  it('what keeps it from waiting has its exit code and a hint', async () => {
    const error = new BeelineError('USAGE', 'No device is trusted here yet.', { reason: 'NO_DEVICES' });
    const host = { ...fakeHost(), listen: async () => inbox([], {}, error) };
    assert.equal(await dispatch(['listen'], host), 2);
    assert.match(host.stderr.text, /run `beeline trust` on both/);
    for (const wrong of [
      ['listen', '7-a-b'],
      ['listen', '--to', '-'],
      ['listen', '--relay', 'only'],
    ])
      assert.equal(await dispatch(wrong, fakeHost()), 2, wrong.join(' '));
  });

  it('metrics count what has arrived and what has not', async () => {
    const report = new ArrivalsReport(new Screen(new Sink()), new Sink(), true);
    for (const event of STORY.slice(0, 6)) report.apply(event);
    assert.match(await inboxMetrics(report), /^beeline_inbox_arriving 1$/m);
    assert.match(await inboxMetrics(report), /^beeline_rate_bytes_per_second 700$/m);
    for (const event of STORY.slice(6)) report.apply(event);
    const text = await inboxMetrics(report);
    for (const line of ['devices 2', 'arriving 0', 'received_total 1', 'failed_total 2', 'bytes_total 3000'])
      assert.ok(text.includes(`\nbeeline_inbox_${line}\n`) || text.includes(`beeline_inbox_${line}\n`), line);
  });
});
