/** Servers that fall silent, with the deadlines as they are: half a minute each. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { answer, content, fetchInto, folder, LENGTH, serve } from './servers.ts';

for (const [what, begins] of [
  ['in the middle of a body', 2_300_000],
  ['before an answer', 0],
] as const)
  test(`protects from: a server that falls silent ${what}, and keeps the connection`, async (t) => {
    const to = folder(t);
    const ranges: (string | undefined)[] = [];
    const { url } = await serve(t, (request, response) => {
      ranges.push(request.headers.range);
      if (ranges.length > 1) return answer(request, response);
      if (begins === 0) return;
      response.writeHead(206, {
        ...{ etag: '"one"', 'content-length': LENGTH },
        'content-range': `bytes 0-${LENGTH - 1}/${LENGTH}`,
      });
      response.write(content(1).subarray(0, begins));
    });
    const { transfer, events } = fetchInto(t, to, url, { lanes: 1, wait: 120 });
    await transfer.done;
    assert.deepEqual(readFileSync(join(to, 'file.bin')), content(1));
    assert.equal(ranges.length, 2);
    if (begins === 0) return;
    assert.equal(ranges[1], `bytes=${begins}-`);
    const closed = events.flatMap((event) => (event.event === 'lane' ? [event.reason] : []));
    assert.ok(
      closed.some((reason) => /sent nothing for 30 s/.test(reason ?? '')),
      `told: ${closed}`,
    );
  });
