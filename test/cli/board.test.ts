/** The display and the sentences about several receivers: each, the whole, on any terminal, and at the end. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { BeelineError, type Reason } from '../../src/base/errors.ts';
import { Board, STANDINGS } from '../../src/cli/board.ts';
import { plainBoard, renderBoard, summary } from '../../src/cli/board-lines.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { afterInterrupt } from '../../src/cli/interrupt.ts';
import { columns, loadWidths } from '../../src/cli/measure.ts';
import { transferMetrics } from '../../src/cli/metrics.ts';
import { Tracker } from '../../src/cli/tracker.ts';
import type { ReceiverResult, TransferEvent } from '../../src/node/api.ts';
import { DeliveryError } from '../../src/session/delivery.ts';
import { type FakeTransfer, fakeHost, Sink } from './fakes.ts';

const TOTAL = 3_000_000;
const fingerprintOf = (peer: number) => peer.toString(16).padStart(4, '0').repeat(16);

const manifest: TransferEvent = {
  ...{ event: 'manifest', kind: 'files', files: 1, folders: 0, links: 0, bytes: TOTAL, chunkSize: 1 << 20 },
};
const came = (peer: number, name?: string): TransferEvent[] => [
  { event: 'peer', peer, fingerprint: fingerprintOf(peer), agent: 'other/1', ...(name && { name }) },
  { event: 'state', peer, from: 'connecting', to: 'authenticating' },
];
const connected = (peer: number, remote = '203.0.113.9:5', relayed = false): TransferEvent[] => [
  {
    ...{ event: 'lane', peer, id: 1, kind: 'tcp', local: '10.0.0.1:4', remote, status: 'open' },
    ...(relayed && { relayed }),
  },
  { event: 'state', peer, from: 'authenticating', to: 'transferring' },
];
const moved = (peer: number, bytes: number, rate = 1_000_000): TransferEvent => ({
  ...{ event: 'progress', peer, bytes, total: TOTAL, rate, eta: 1, files: 0, by: { tcp: rate } },
});
const ended = (peer: number, error?: BeelineError): TransferEvent => ({
  ...{ event: 'ended', peer, fingerprint: fingerprintOf(peer), ok: !error, seconds: 2 },
  ...{ bytes: error ? 1_000_000 : TOTAL, ...(error && { code: error.code, message: error.message }) },
});

function board(wanted: number | 'any', ...events: (TransferEvent | TransferEvent[])[]): Board {
  const made = new Board(wanted);
  for (const event of [manifest, ...events].flat()) made.apply(event);
  return made;
}

describe('cli: several receivers', () => {
  before(loadWidths);

  it('each has a line: who, how far, how fast, by which way, and what becomes of it', () => {
    const lines = renderBoard(
      board(
        ...([9, came(1, 'laptop'), connected(1, '192.168.1.7:5'), moved(1, 1_500_000)] as const),
        ...[came(2), connected(2, '203.0.113.9:5', true), moved(2, 300_000, 200_000)],
        ...[came(3), connected(3)],
        ...[came(4)],
        ...[came(5), connected(5), moved(5, 30_000)],
        { event: 'state', peer: 5, from: 'transferring', to: 'connecting' },
        ...[came(6), connected(6), moved(6, 30_000)],
        { event: 'state', peer: 6, from: 'transferring', to: 'paused', by: 'peer' },
        ...[came(7), connected(7), moved(7, 30_000), ended(7)],
        ...[came(8), connected(8), moved(8, 30_000), ended(8, new BeelineError('REFUSED', 'No.'))],
        { event: 'swarm', from: 0, to: 4, up: 4_500_000, down: 0 },
      ),
      140,
      40,
    );
    for (const [at, shape] of [
      /^ {2}1 laptop {13} +50% {2}1\.00 MB\/s {2}LAN {2}receiving$/,
      /^ {2}2 0002 0002 0002 0002 +10% {3}200 kB\/s {2}relayed {2}receiving$/,
      /^ {2}3 .* 0% {2}direct {2}asked$/,
      /^ {2}4 .* 0% {2}connecting$/,
      /^ {2}5 .* 1% {2}direct {2}away$/,
      /^ {2}6 .* 1% {2}direct {2}paused$/,
      /^ {2}7 .* 100% {2}done$/,
      /^ {2}8 .* 33% {2}failed$/,
      /^━+─+ {2}.*%.*1 of 9 done, 2 receiving, 2 asked, 1 paused, 1 away, 1 failed, 1 to come {2}.*4\.50 MB out$/,
    ].entries())
      assert.match(lines[at]!, shape);
    assert.equal(lines.length, 9);
  });

  it('fits every terminal: the busiest are shown, the others counted, the whole is always there', () => {
    const many = board('any');
    for (let peer = 1; peer <= 60; peer++)
      for (const event of [
        ...came(peer, '写真の'.repeat(9)),
        ...connected(peer),
        moved(peer, peer, peer * 1000),
      ])
        many.apply(event);
    for (let width = 1; width <= 120; width += 7)
      for (const height of [1, 2, 5, 6, 7, 24, 200]) {
        const lines = renderBoard(many, width, height);
        assert.ok(lines.length <= Math.max(1, height - 4), `${lines.length} lines of ${height}`);
        for (const line of lines) assert.ok(columns(line) <= width, line);
      }
    const lines = renderBoard(many, 80, 10);
    assert.deepEqual(
      lines.slice(0, 4).map((line) => line.slice(0, 3)),
      [' 57', ' 58', ' 59', ' 60'],
    );
    assert.equal(lines[4], '    +56 more');
    assert.match(lines[5]!, /0 done, 60 receiving/);
    assert.equal(renderBoard(many, 80, 5).length, 1);
    assert.equal(renderBoard(many, 80, 500).length, 18);
    assert.match(renderBoard(many, 30, 10)[0]!, /^ 57 /);
  });

  it('of very many only so many are kept, and all are counted', () => {
    const many = board('any');
    for (let peer = 1; peer <= 1500; peer++)
      for (const event of [...came(peer), ended(peer)]) many.apply(event);
    assert.equal(many.rows.size, 1000);
    assert.equal(many.counts.done, 1500);
    assert.equal(summary(many).length, 21);
    assert.match(plainBoard(many), /1500 done/);
  });

  it('one that comes once more has its line already: it adds nothing to the sums, nor does its decline', () => {
    const again = { again: true as const };
    const peer = { ...(came(3)[0] as object), ...again } as TransferEvent;
    const here = board(2, came(1), connected(1), ended(1), peer, connected(3), moved(3, 1_500_000));
    assert.deepEqual([here.whole.bytes, here.whole.lanes.size, here.rows.size], [TOTAL, 0, 1]);
    assert.match(plainBoard(here), /^50%, 1 of 2 done, 1 to come/);
    here.apply({ ...ended(3, new BeelineError('REFUSED', 'No.')), ...again } as TransferEvent);
    assert.match(plainBoard(here), /^50%, 1 of 2 done, 1 to come/);
    assert.deepEqual([here.declined, here.counts.failed], [0, 0]);
    // It was sent everything, and nobody's place was taken: it counts.
    here.apply(peer);
    here.apply(ended(3));
    assert.match(plainBoard(here), /^100%, 2 of 2 done/);
  });

  it('a session that waits for its receiver is nobody’s line', () => {
    const one = board(3, { event: 'state', peer: 1, from: 'idle', to: 'connecting' });
    assert.deepEqual(renderBoard(one, 80, 24).length, 1);
    assert.match(plainBoard(one), /^0%, 0 of 3 done, 3 to come/);
  });

  it('the metrics count receivers by what becomes of them, and what went up', async () => {
    const two = board(...([3, came(1), connected(1), moved(1, 1_000_000), came(2), ended(2)] as const), {
      event: 'swarm',
      from: 0,
      to: 1,
      up: 5_000_000,
      down: 0,
    });
    const text = await transferMetrics(two.whole, two);
    for (const line of [
      'beeline_receivers{standing="receiving"} 1',
      'beeline_receivers{standing="done"} 1',
      'beeline_receivers{standing="away"} 0',
      'beeline_receivers_expected 3',
      'beeline_bytes_up 5000000',
      'beeline_peers_up 1',
      'beeline_bytes 4000000',
      'beeline_bytes_expected 9000000',
      'beeline_lanes_open{kind="tcp"} 1',
      'beeline_state{state="transferring"} 1',
    ])
      assert.ok(text.split('\n').includes(line), line);
  });

  it('docs/json.md has every metric, with its labels', async () => {
    const all = board(...([3, came(1), connected(1), moved(1, 1_000_000)] as const), {
      ...{ event: 'swarm', from: 0, to: 1, up: 5_000_000, down: 0 },
    });
    all.apply({
      ...{ event: 'manifest', kind: 'files', files: 1, folders: 0, links: 0, bytes: 9, chunkSize: 1 << 20 },
    });
    const docs = readFileSync('docs/json.md', 'utf8');
    const section = docs.slice(docs.indexOf('## Metrics'), docs.indexOf('## Error codes'));
    const documented = new Set([...section.matchAll(/`(beeline_\w+(\{\w+\})?)`/g)].map(([, name]) => name!));
    const samples = (await transferMetrics(all.whole, all)).matchAll(/^(beeline_\w+)(?:\{(\w+)=.*\})? /gm);
    const served = new Set([...samples].map(([, name, by]) => (by ? `${name}{${by}}` : name!)));
    assert.deepEqual([...served].sort(), [...documented].sort());
    for (const standing of STANDINGS) assert.match(section, new RegExp(`\`${standing}\``));
  });

  const served = (transfer: FakeTransfer, ...events: TransferEvent[]) => {
    transfer.emit(manifest, ...came(1, 'laptop'), ...connected(1), moved(1, 1), ...came(2), ...connected(2));
    transfer.emit(...events);
  };

  it('nobody is waited for in the place of one who declines, and the others are the whole', () => {
    const two = [came(1), connected(1), moved(1, TOTAL), ended(1), came(2)];
    const declined = board(2, ...two, ended(2, new BeelineError('REFUSED', 'No.')));
    assert.match(plainBoard(declined), /^100%, 1 of 2 done, 1 failed, /);
    const warned = (reason: Reason) => {
      const warning: TransferEvent = { event: 'warning', code: 'NO_PEER', reason, message: '' };
      return plainBoard(board(5, ...two, connected(2), moved(2, TOTAL / 2), warning));
    };
    for (const reason of ['TIME_UP', 'CODE_GUESSED_OUT', 'PLACE_LOST'] as const)
      assert.match(warned(reason), /^75%, 1 of 5 done, 1 receiving, 1/);
    // The others can come.
    assert.match(warned('DEVICE_PLACE_LOST'), /^30%, 1 of 5 done, 1 receiving, 3 to come, /);
    const failed = board(2, ...two, ended(2, new BeelineError('NO_PATH', 'No.')));
    assert.match(plainBoard(failed), /^50%, 1 of 2 done, 1 failed, 1 to come, /);
  });

  it('says who came, who is away and back, who is done, and how it went for each', async () => {
    const host = fakeHost({
      send(transfer) {
        served(
          transfer,
          { event: 'state', peer: 2, from: 'transferring', to: 'connecting' },
          { event: 'state', peer: 2, from: 'connecting', to: 'transferring' },
          { event: 'state', peer: 1, from: 'transferring', to: 'paused', by: 'self' },
          { event: 'state', peer: 2, from: 'transferring', to: 'paused', by: 'self' },
          { event: 'state', peer: 1, from: 'paused', to: 'transferring', by: 'self' },
          { event: 'state', peer: 2, from: 'paused', to: 'transferring', by: 'self' },
          { event: 'state', peer: 2, from: 'transferring', to: 'paused', by: 'peer' },
          { event: 'warning', peer: 2, code: 'NO_PATH', message: 'No way.' },
          ended(1),
          ...came(3),
          Object.assign(ended(3), { again: true }),
          ended(2),
        );
        transfer.finish({ receipt: '/r.jsonl' });
      },
    });
    assert.equal(await dispatch(['send', 'a', '--receivers', '2'], host), 0);
    for (const line of [
      'Receiver 1 is laptop (other/1).',
      'Receiver 2 is 0002 0002 0002 0002 (other/1).',
      'Receiver 2 is away. It goes on when it is back; it can also start again with the same code.',
      'Receiver 2 is back.',
      'Paused for all. Press r to resume.',
      'Resumed.',
      'Receiver 2 paused.',
      'Warning: Receiver 2: No way.',
      'Receiver 1 (laptop) has everything: 3.00 MB in 2.0s. 1 of 2 done.',
      'Receiver 3 (0003 0003 0003 0003) had everything before, and came once more.',
      'Receiver 2 (0002 0002 0002 0002) has everything: 3.00 MB in 2.0s. 2 of 2 done.',
      '  1 laptop               done, 3.00 MB in 2.0s',
      'Sent 2 files, 3.00 MB to 2 receivers.',
      'Receipt: /r.jsonl',
    ])
      assert.equal(host.stderr.text.split('\n').filter((each) => each === line).length, 1, line);
  });

  it('one who does not get it: the others are named all the same, the exit code is that of the failure', async () => {
    const refused = new BeelineError('REFUSED', 'The other side declined.');
    const receivers: ReceiverResult[] = [
      { peer: 1, fingerprint: fingerprintOf(1), ok: true, bytes: 1, resumed: 0, seconds: 1 },
    ];
    const host = fakeHost({
      send(transfer) {
        served(transfer, ended(1), ended(2, refused));
        transfer.reject(new DeliveryError(refused, { receivers, receipt: '/r.jsonl' }));
      },
    });
    assert.equal(await dispatch(['send', 'a', '--receivers', '2'], host), 7);
    const { text } = host.stderr;
    assert.match(text, /^Receiver 2 \(0002.*\) has not got everything: The other side declined\.$/m);
    assert.match(text, /^ {2}2 0002 0002 0002 0002 {2}failed after 1\.00 MB: The other side declined\.$/m);
    assert.match(text, /^Receipt of what was received: \/r\.jsonl$/m);
    assert.match(text, /^beeline: The other side declined\.$/m);
  });

  it('a receiver sees with how many others it exchanges, and how much that was', async () => {
    const stderr = new Sink(true, 100);
    const host = fakeHost({
      stderr,
      receive(transfer) {
        transfer.emit(
          manifest,
          { event: 'state', from: 'authenticating', to: 'transferring' },
          { event: 'swarm', from: 3, to: 2, up: 4_000_000, down: 2_000_000 },
          { event: 'progress', bytes: 1, total: TOTAL, rate: 1, eta: 1, files: 0, by: {}, file: 'a' },
        );
        transfer.finish();
      },
    });
    assert.equal(await dispatch(['receive', '7-velvet-canyon', '--yes'], host), 0);
    assert.match(stderr.text, /from 3 others, to 2/);
    assert.match(stderr.text, /From other receivers came 2\.00 MB, and to them went 4\.00 MB\./);
  });

  it('a receiver between which and others only greetings crossed says nothing of them at the end', async () => {
    const host = fakeHost({
      receive(transfer) {
        transfer.emit(manifest, { event: 'swarm', from: 0, to: 0, up: 72, down: 116 });
        transfer.finish();
      },
    });
    assert.equal(await dispatch(['receive', '7-velvet-canyon', '--yes'], host), 0);
    assert.doesNotMatch(host.stderr.text, /other receivers/);
  });

  it('says of an interruption that receivers, or the receiver, keep what has arrived', () => {
    const view = Object.assign(new Tracker(), { bytes: 5 });
    const side = { role: 'send', newCode: false, keeps: true } as const;
    assert.match(afterInterrupt({ ...side, several: true }, view), /^Receivers keep what has arrived/);
    assert.match(afterInterrupt(side, view), /^The receiver keeps what has arrived/);
  });

  it('with one receiver nothing is said of several', async () => {
    const host = fakeHost({
      send(transfer) {
        transfer.emit(...came(1), ...connected(1), moved(1, 1));
        transfer.finish({ receivers: [] });
      },
    });
    assert.equal(await dispatch(['send', 'a'], host), 0);
    assert.doesNotMatch(host.stderr.text, /[Rr]eceiver 1/);
    assert.match(host.stderr.text, /^Verified\. .*the same on both sides/m);
  });
});
