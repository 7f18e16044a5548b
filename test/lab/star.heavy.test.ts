/** The switch of lab/star.ts: its cables carry no more than their rates, and count what they carry. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Star, type StarHost, whyNoStar } from '../../lab/star.ts';

const END = fileURLToPath(new URL('./wan-end.mjs', import.meta.url));
/** Milliseconds that any program of these tests may run. */
const DEADLINE_MS = 20_000;
const DATAGRAMS = 3000;
const DATAGRAM_BYTES = 1372;
const ALL_BYTES = DATAGRAMS * DATAGRAM_BYTES;
/** What a bucket lets through at once. */
const BURST_BYTES = 256 * 1024;
/** Neighbour discovery and the like, beside what a test sends. */
const OTHERS_BYTES = 4096;

const missing = whyNoStar();
// On CI a missing prerequisite is a failure, elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('lab: a switch and its cables', { skip }, () => {
  it('a cable carries no more than its rate, and the slowest one on the way bounds it', async (t) => {
    const star = new Star();
    t.after(() => star.remove());
    const from = star.addHost({ up: 100, down: 100 });
    const lan = star.addLan({ up: 100, down: 20 });
    const to = star.addHost({ up: 100, down: 100 }, lan);
    const began = performance.now();
    await blast(from, to, 400);
    // What is still in a queue comes while this looks: the far end first.
    const arrived = star.carried(to).down;
    const crossed = star.carried(lan).down;
    const most = ((performance.now() - began) * 20_000) / 8 + BURST_BYTES;
    t.diagnostic(`${crossed} bytes crossed, ${((crossed / most) * 100).toFixed(1)} % of the rate`);
    assert.ok(crossed <= most, `${crossed} bytes over the slow cable in the time of ${most}`);
    // The kernels of the others say something to all now and then.
    assert.ok(
      arrived <= crossed + OTHERS_BYTES && arrived > BURST_BYTES / 2,
      `${arrived} of ${crossed} bytes arrived`,
    );
    const { up } = star.carried(from);
    assert.ok(up >= crossed, `${up} bytes left, of which ${crossed} crossed`);
  });

  it('two machines of one LAN do not use its cable', async (t) => {
    const star = new Star();
    t.after(() => star.remove());
    const lan = star.addLan({ up: 20, down: 20 });
    const [one, other] = [
      star.addHost({ up: 100, down: 100 }, lan),
      star.addHost({ up: 100, down: 100 }, lan),
    ];
    await blast(one, other, 80);
    const { up, down } = star.carried(lan);
    assert.ok(star.carried(one).up > ALL_BYTES / 2);
    assert.ok(up + down < BURST_BYTES / 8, `${up} and ${down} bytes of broadcasts over the cable`);
  });
});

/** Sends datagrams at so many Mbit/s to a machine that takes them. */
async function blast(from: StarHost, to: StarHost, mbit: number): Promise<void> {
  const command = (host: StarHost, words: readonly string[]): [string, string[]] => {
    const [program = '', ...rest] = [...host.prefix, process.execPath, END, ...words];
    return [program, rest];
  };
  const sink = spawn(...command(to, ['echo', to.address]), { timeout: DEADLINE_MS });
  try {
    const words = ['blast', to.address, DATAGRAMS, DATAGRAM_BYTES, mbit].map(String);
    await promisify(execFile)(...command(from, words), { timeout: DEADLINE_MS });
  } finally {
    sink.kill('SIGKILL');
  }
}
