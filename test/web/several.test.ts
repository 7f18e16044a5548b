import assert from 'node:assert/strict';
import test from 'node:test';
import type { TransferEvent } from '../../src/browser/index.ts';
import { percent, type TransferShown } from '../../web/model/running.ts';
import {
  begunFor,
  closed,
  nextOfAll,
  open,
  standing,
  underWay,
  type Wanted,
} from '../../web/model/several.ts';
import { mustStay, screenOf, stateOf, type View } from '../../web/model/view.ts';
import { announcement, sentence, title, transferHeading } from '../../web/model/words.ts';

type To = Extract<TransferEvent, { event: 'state' }>['to'];

const MANIFEST: TransferEvent = {
  ...{ event: 'manifest', kind: 'files', files: 1, folders: 0, links: 0, bytes: 1000, chunkSize: 1 },
};
const CODE: TransferEvent = { event: 'code', code: '7-three-right-words' };
const to = (peer: number, state: To, by?: 'self' | 'peer'): TransferEvent => ({
  ...{ event: 'state', peer, from: 'idle', to: state },
  ...(by && { by }),
});
const comes = (peer: number): TransferEvent => ({
  ...{ event: 'peer', peer, fingerprint: `${peer}`.repeat(64), agent: 'x' },
});
const moves = (peer: number, bytes: number, eta = 10): TransferEvent => ({
  ...{ event: 'progress', peer, bytes, total: 1000, rate: 50, eta, files: 0, by: { webrtc: 50 } },
});
const gets = (peer: number, bytes = 1000): TransferEvent => ({
  ...{ event: 'ended', peer, fingerprint: `${peer}`.repeat(64), ok: true, bytes, seconds: 1 },
});
const fails = (
  peer: number,
  code: 'NO_PATH' | 'REFUSED' | 'CANCELLED',
  message = 'No way.',
): TransferEvent => ({
  ...{ event: 'ended', peer, fingerprint: `${peer}`.repeat(64), ok: false, bytes: 20, seconds: 1 },
  ...{ code, message },
});
const warns = (peer: number | undefined, reason?: 'CODE_GUESSED' | 'CODE_GUESSED_OUT'): TransferEvent => ({
  ...{ event: 'warning', code: 'WRONG_CODE', message: 'Something.' },
  ...(peer !== undefined && { peer }),
  ...(reason && { reason }),
});

const after = (wanted: Wanted, ...events: TransferEvent[]): TransferShown =>
  [MANIFEST, to(1, 'connecting'), CODE, ...events].reduce(nextOfAll, begunFor(wanted));
const view = (running: TransferShown): View => ({ at: 'transfer', running });
const running = (peer: number) => [comes(peer), to(peer, 'transferring')];
const rows = ({ several }: TransferShown) =>
  [...several!.receivers.values()].map((one) => `${one.peer} ${standing(one)}`);

test('the first session waits, and is nobody’s until somebody comes', () => {
  const waiting = after(3);
  assert.equal(stateOf(view(waiting)), 'waiting');
  assert.equal(screenOf(view(waiting)), 'waiting');
  assert.deepEqual(rows(waiting), []);
  const come = nextOfAll(waiting, comes(1));
  assert.deepEqual(rows(come), ['1 Connecting']);
  assert.equal(screenOf(view(come)), 'running');
});

test('each receiver has a row with its own state', () => {
  const shown = after(
    ...([4, ...running(1), moves(1, 250), ...running(2), comes(3), ...running(4), gets(4)] as const),
    ...[to(2, 'transferring'), comes(5), to(5, 'transferring'), moves(5, 999), fails(5, 'NO_PATH')],
  );
  assert.deepEqual(rows(shown), ['1 25%', '2 Waiting for a yes', '3 Connecting', '4 Done', '5 Failed']);
  assert.deepEqual(rows(nextOfAll(shown, to(1, 'paused', 'peer')))[0], '1 Paused');
  assert.deepEqual(rows(nextOfAll(shown, to(1, 'connecting')))[0], '1 Connecting again');
  assert.deepEqual(rows(nextOfAll(shown, fails(3, 'REFUSED')))[2], '3 Declined');
});

test('the whole is the sum over those who are wanted, and who failed adds nothing', () => {
  const shown = after(4, ...running(1), moves(1, 500, 7), ...running(2), moves(2, 300, 9), ...running(3));
  assert.deepEqual([shown.bytes, shown.total, shown.rate, shown.eta], [800, 4000, 100, 9]);
  assert.deepEqual([shown.byKind, percent(shown)], [{ webrtc: 100 }, 20]);
  const less = nextOfAll(shown, fails(2, 'NO_PATH'));
  assert.deepEqual([less.bytes, less.total, less.rate], [500, 4000, 50]);
  assert.equal(nextOfAll(less, gets(1)).bytes, 1000);
});

test('with any number the whole is of those who came', () => {
  const shown = after('any', ...running(1), moves(1, 500), ...running(2), moves(2, 300));
  assert.deepEqual([shown.bytes, shown.total], [800, 2000]);
});

test('it is paused when nobody moves and somebody is paused', () => {
  const one = after(2, ...running(1), ...running(2), to(1, 'paused', 'self'));
  assert.equal(one.state, 'transferring');
  const both = nextOfAll(one, to(2, 'paused', 'self'));
  assert.equal(stateOf(view(both)), 'paused');
  assert.equal(screenOf(view(both)), 'running');
});

test('as many as are wanted may come, in the place of one who failed another', () => {
  const full = after(2, ...running(1), ...running(2));
  assert.equal(open(full.several!), false);
  assert.equal(open(nextOfAll(full, fails(2, 'NO_PATH')).several!), true);
  assert.equal(open(nextOfAll(full, fails(2, 'REFUSED')).several!), false);
  assert.equal(open(nextOfAll(full, gets(1)).several!), false);
  assert.equal(open(after('any', ...running(1), gets(1)).several!), true);
  assert.equal(open(closed(after('any', ...running(1))).several!), false);
});

test('between two receivers it waits for others, with its rows and its code', () => {
  const shown = after('any', ...running(1), gets(1));
  assert.equal(transferHeading(shown), 'Waiting for others');
  assert.equal(stateOf(view(shown)), 'waiting');
  assert.equal(screenOf(view(shown)), 'running');
  assert.equal(mustStay(view(shown)), true);
  assert.match(sentence(shown), /^1 has it\. More can come/);
  assert.deepEqual(underWay(shown.several!), []);
});

test('one that had everything and comes once more has no second row, and is not counted', () => {
  const shown = after(
    2,
    ...running(1),
    gets(1),
    Object.assign(comes(2), { again: true }),
    to(2, 'transferring'),
    Object.assign(gets(2, 0), { again: true }),
  );
  assert.deepEqual([...shown.several!.receivers.keys()], [1]);
  assert.equal(shown.several!.done, 1);
  assert.equal(open(shown.several!), true);
  const gone = after(
    2,
    ...running(1),
    gets(1),
    Object.assign(comes(2), { again: true }),
    Object.assign(fails(2, 'REFUSED'), { again: true }),
  );
  assert.equal(open(gone.several!), true);
  const there = after(2, ...running(1), gets(1), Object.assign(comes(2), { again: true }), moves(2, 500));
  assert.deepEqual([open(there.several!), there.bytes, rows(there)], [true, 1000, ['1 Done']]);
  // It was sent something, and nobody else had its place.
  assert.deepEqual(rows(nextOfAll(there, gets(2))), ['1 Done', '2 Done']);
});

test('a burnt code is closed for others; a wrong guess before that, or one receiver’s warning, is not', () => {
  const shown = after('any', ...running(1));
  assert.equal(open(nextOfAll(shown, warns(undefined, 'CODE_GUESSED')).several!), true);
  assert.equal(open(nextOfAll(shown, warns(1)).several!), true);
  const burnt = nextOfAll(shown, warns(undefined, 'CODE_GUESSED_OUT'));
  assert.equal(open(burnt.several!), false);
  assert.match(sentence(burnt), /Nobody else is let in/);
  const [warning] = nextOfAll(shown, warns(1)).warnings;
  assert.deepEqual([warning?.receiver, warning?.message], [1, 'Something.']);
});

test('the end says how many have it, and who cancelled', () => {
  const done: TransferEvent = { event: 'done', files: 1, bytes: 1000, resumed: 0, seconds: 1, root: 'ab' };
  const failed: TransferEvent = { event: 'error', code: 'NO_PATH', message: '1 of 2 received it. No way.' };
  const cancelled: TransferEvent = { event: 'error', code: 'CANCELLED', message: 'Cancelled.' };
  const one = [...running(1), gets(1)];
  assert.equal(transferHeading(after('any', ...one, done)), 'Sent to 1');
  assert.equal(transferHeading(after(2, ...one, ...running(2), gets(2), done)), 'Sent to all 2');
  assert.equal(
    transferHeading(after(2, ...one, ...running(2), fails(2, 'NO_PATH'), failed)),
    'Sent to 1 of 2',
  );
  assert.equal(
    transferHeading(after(2, ...running(2), fails(2, 'NO_PATH'), failed)),
    'No connection to the other side',
  );
  for (const end of [done, failed, cancelled]) assert.equal(mustStay(view(after(2, ...one, end))), false);
  assert.match(sentence(after(2, cancelled)), /^You/);
  assert.match(sentence(after(2, comes(1), to(1, 'cancelled', 'self'), cancelled)), /^You/);
  // The error's own message says what happened.
  assert.equal(sentence(after(2, comes(1), to(1, 'cancelled', 'peer'), cancelled)), '');
});

test('progress of one changes no announcement; that one is done does', () => {
  const before = after(3, ...running(1), ...running(2), moves(1, 100));
  assert.equal(announcement(view(nextOfAll(before, moves(2, 200)))), announcement(view(before)));
  assert.match(announcement(view(nextOfAll(before, gets(1)))), /1 of 3 has it/);
  assert.equal(title(view(before)), '3% · Sending · Beeline');
});

test('of ten thousand who come and go few rows are kept, and all are counted', () => {
  let shown = after('any');
  for (let peer = 1; peer <= 10_000; peer++)
    for (const event of [comes(peer), gets(peer)]) shown = nextOfAll(shown, event);
  assert.equal(shown.several!.receivers.size, 200);
  assert.equal(shown.several!.done, 10_000);
  // What is still told of one that is forgotten brings nothing back.
  assert.equal(nextOfAll(shown, to(5, 'connecting')), shown);
});
