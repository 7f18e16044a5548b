/**
 * A file larger than any buffer, both ways, with memory measured: on CI the one received has 2 GiB and the other 512 MiB;
 * with LONG=1 both have 2 GiB (BROWSER_GIB=4 for another size), else 512 MiB. Through the server's relay, unless OVER=webrtc: data channels take minutes for it.
 */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { MemoryWatch, mebibytes } from './harness/memory.ts';
import { inBrowser } from './harness/suite.ts';

const GiB = 2 ** 30;
const MiB = 2 ** 20;
const sized = process.env.BROWSER_GIB ? Number(process.env.BROWSER_GIB) * GiB : undefined;
const sizeOf = (large: boolean) => sized ?? (large ? 2 * GiB : GiB / 2);
const LONG = process.env.LONG === '1';
const RECEIVED = sizeOf(LONG || process.env.CI !== undefined);
const SENT = sizeOf(LONG);
const WAY = process.env.OVER === 'webrtc' ? [] : ['--relay', 'only'];
const DEADLINE = 280_000 + 120_000 * (RECEIVED / GiB);

/** The page's heap, with array buffers, for a file of any size. */
const HEAP = 200 * MiB;
/** What all of the browser's processes may have more at the end than in the first half; a file is far larger. */
const GROWTH = 192 * MiB;

function assertFlat(memory: MemoryWatch, what: string, size: number): void {
  const { samples } = memory;
  assert.ok(samples.length >= 8, `${samples.length} samples`);
  const [first, second] = [memory.peak('resident', 0.1, 0.5), memory.peak('resident', 0.5, 1)];
  console.log(
    `# ${what}, ${mebibytes(size)}: heap at most ${mebibytes(memory.peak('heap'))}; all processes ` +
      `${mebibytes(first)} in the first half, ${mebibytes(second)} in the second`,
  );
  assert.ok(memory.peak('heap') < HEAP, `a heap of ${mebibytes(memory.peak('heap'))}`);
  assert.ok(second - first < GROWTH, `from ${mebibytes(first)} to ${mebibytes(second)}`);
}

inBrowser('chromium', 'large files', ({ test }) => {
  const options = { timeout: DEADLINE };

  test(
    'command to browser: flat memory while it is received and while it is saved',
    async (stage) => {
      const { work, browser } = stage;
      makeFile(work.path('large.bin'), RECEIVED);
      const { sender, code } = await stage.sends([work.path('large.bin'), ...WAY], { deadline: DEADLINE });
      const page = await stage.page();
      await page.receive(code);
      await page.reaches('transferring');
      const memory = MemoryWatch.start(browser, page);
      await page.reaches('completed', DEADLINE);
      await memory.stop();
      await sender.ends(0);
      assertFlat(memory, 'received', RECEIVED);
      const [saved] = await stage.saved(work.path('large.bin'), DEADLINE);
      sameFile(work.path('large.bin'), saved!);
      rmSync(saved!);
    },
    options,
  );

  test(
    'browser to command: flat memory while it is sent',
    async (stage) => {
      const { work, browser } = stage;
      makeFile(work.path('large.bin'), SENT);
      const page = await stage.page();
      await page.choose(work.path('large.bin'));
      const code = await page.code();
      const receiver = await stage.receives(code, work.folder('out'), WAY, { deadline: DEADLINE });
      await page.reaches('transferring');
      const memory = MemoryWatch.start(browser, page);
      await receiver.ends(0);
      await page.reaches('completed');
      await memory.stop();
      // The relay once cut off senders whose messages came in more fragments than it liked.
      const states = await page.watch.states();
      assert.equal(states.lastIndexOf('connecting'), states.indexOf('connecting'), states.join(' → '));
      assertFlat(memory, 'sent', SENT);
      sameFile(work.path('large.bin'), work.path('out', 'large.bin'));
    },
    options,
  );
});
