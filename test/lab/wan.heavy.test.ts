/** The wide-area link of lab/wan.c delays, loses, limits and queues as it is told to. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { joinByWan, makeWan, type Wan, whyNoWan } from '../../lab/wan.ts';
import { seed } from '../seed.ts';

const END = fileURLToPath(new URL('./wan-end.mjs', import.meta.url));
const LAB = new URL('../../lab/wan.ts', import.meta.url).href;
/** Milliseconds that any program of these tests may run. */
const DEADLINE = 20_000;

const missing = whyNoWan();
// On CI a missing prerequisite is a failure, elsewhere a skip with its reason.
const skip = missing !== undefined && !process.env.CI ? missing : false;

describe('lab: a wide-area link', { skip }, () => {
  it('delays every packet, IPv4 and IPv6', async (t) => {
    const wan = await link(t, { delayMs: 20 });
    for (const address of [wan.right.address, wan.right.address6]) {
      await serve(t, wan, 'echo', address);
      const times = (await end(t, wan.left.prefix, 'ping', address, 20).line()) as number[];
      times.sort((a, b) => a - b);
      t.diagnostic(`${address}: ${times[0]?.toFixed(2)} to ${times.at(-1)?.toFixed(2)} ms`);
      assert.equal(times.length, 20);
      assert.ok(times[0]! >= 40, `a round trip of ${times[0]} ms over two delays of 20 ms`);
      assert.ok(times[0]! < 80, `no round trip under ${times[0]} ms`);
    }
  });

  it('loses the share that it is told to', async (t) => {
    const wan = await link(t, { delayMs: 1, loss: 0.1, seed });
    await end(t, wan.left.prefix, 'blast', wan.right.address, 5000, 100, 20).line();
    const { lost, packets, dropped } = await delivered(wan, 5000);
    t.diagnostic(`${lost} of ${lost + packets} lost`);
    assert.equal(dropped, 0);
    assert.ok(lost > 250 && lost < 750, `${lost} of 5000 lost at 10 %`);
  });

  it('lets through no more than its rate, and drops what its queue has no room for', async (t) => {
    const wan = await link(t, { delayMs: 5, rateMbit: 20, queueMs: 50 });
    const began = performance.now();
    await end(t, wan.left.prefix, 'blast', wan.right.address, 4000, 1372, 40).line();
    const [{ packets, bytes, dropped, lost }] = await wan.counters();
    const most = ((performance.now() - began) * 20_000) / 8;
    t.diagnostic(
      `${packets} through, ${dropped} dropped, ${((bytes / most) * 100).toFixed(1)} % of the rate`,
    );
    // A lone packet is not held back, so that the last one may be ahead of its time by itself.
    assert.ok(bytes <= most + 1500, `${bytes} bytes in the time of ${most}`);
    assert.ok(dropped > 400, `${dropped} of 4000 dropped at twice the rate`);
    assert.ok(packets > 1000, `${packets} of 4000 delivered at twice the rate`);
    assert.equal(lost, 0);
  });

  it('is filled by one TCP connection on CUBIC when nothing is lost', async (t) => {
    const wan = await link(t, { delayMs: 10, rateMbit: 50 });
    const sink = await serve(t, wan, 'sink', wan.right.address);
    end(t, wan.left.prefix, 'pour', wan.right.address, 5000);
    const samples = (await sink.line()) as [number, number][];
    // Without its start, in which the queue overflows once.
    const settled = samples.filter(([at]) => at >= 1500);
    const [[t0, b0], [t1, b1]] = [settled[0]!, settled.at(-1)!];
    const share = ((b1 - b0) * 8) / ((t1 - t0) * 50_000);
    t.diagnostic(`${(share * 100).toFixed(1)} % of the link`);
    assert.ok(share > 0.9 && share < 1.1, `${share} of the link`);
  });

  it('joins namespaces that exist, and can be removed and made again at once', async (t) => {
    const wan = await link(t, { delayMs: 1 });
    const [a, b] = [wan.left.namespace, wan.right.namespace];
    for (let i = 0; i < 3; i++) {
      const more = await joinByWan(a, 'more', b, 'more', { delayMs: 1 });
      assert.equal((await more.counters()).length, 2);
      more.remove();
    }
    await assert.rejects(joinByWan(a, 'wan0', b, 'more', { delayMs: 1 }), /TUNSETIFF wan0/);
    await assert.rejects(joinByWan(a, 'more', `${b}-not`, 'more', { delayMs: 1 }), /netns/);
    await assert.rejects(joinByWan(a, 'more', b, 'more', { delayMs: Number.NaN }), /NaN/);
  });

  it('ends with the process that made it, even one that was killed', async (t) => {
    const script = `import { makeWan } from '${LAB}';
      const { left, right, pid } = await makeWan({ delayMs: 1 });
      console.log(JSON.stringify({ pid, names: [left.namespace, right.namespace] }));
      setInterval(() => {}, 1000);`;
    const parent = program(t, [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script]);
    const { pid, names } = (await parent.line()) as { pid: number; names: string[] };
    t.after(() => Promise.all(names.map((name) => program(t, ['ip', 'netns', 'del', name]).ended)));
    assert.ok(existsSync(`/proc/${pid}`));
    parent.child.kill('SIGKILL');
    for (let i = 0; i < 100 && existsSync(`/proc/${pid}`); i++) await delay(50);
    assert.ok(!existsSync(`/proc/${pid}`), 'the emulator outlived its parent');
  });
});

async function link(t: TestContext, options: Parameters<typeof makeWan>[0]): Promise<Wan> {
  const wan = await makeWan(options);
  t.after(() => wan.remove());
  return wan;
}

/** The counters from left to right, once so many packets are accounted for (or five seconds have passed). */
async function delivered(wan: Wan, count: number) {
  for (let i = 0; ; i++) {
    const [there] = await wan.counters();
    if (there.packets + there.lost + there.dropped >= count || i === 100) return there;
    await delay(50);
  }
}

interface Program {
  child: ChildProcess;
  /** The next line, from JSON. */
  line(): Promise<unknown>;
  ended: Promise<unknown>;
}

/** Starts a program that the test's end kills, if its deadline has not. */
function program(t: TestContext, [command, ...args]: readonly string[]): Program {
  const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'inherit'], timeout: DEADLINE });
  const ended = new Promise((resolve) => child.on('close', resolve));
  t.after(() => {
    child.kill('SIGKILL');
    return ended;
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const line = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    assert.ok(!done, `${command} ${args.join(' ')} ended without a result`);
    return JSON.parse(value);
  };
  return { child, line, ended };
}

const end = (
  t: TestContext,
  prefix: readonly string[],
  role: string,
  address: string,
  ...numbers: number[]
) => program(t, [...prefix, process.execPath, END, role, address, ...numbers.map(String)]);

/** Starts a server on the right side and waits until it listens. */
async function serve(t: TestContext, wan: Wan, role: string, address: string): Promise<Program> {
  const server = end(t, wan.right.prefix, role, address);
  assert.equal(await server.line(), 'ready');
  return server;
}
