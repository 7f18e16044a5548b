/** `send --zip`: the other side gets one file, which other programs take for a whole ZIP. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { errorCode, event, workspace } from './workspace.ts';

const has = (program: string, ...words: string[]) => spawnSync(program, words).status === 0;
const UNZIP = { skip: !has('unzip', '-v') && 'no unzip' };
const PYTHON = { skip: !has('python3', '--version') && 'no python3' };

/** What Python's zipfile makes of it: whether each member is whole, and the names. */
function listed(path: string): string[] {
  const script = `import sys, zipfile, json
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(json.dumps(z.namelist()))`;
  return JSON.parse(execFileSync('python3', ['-c', script, path], { maxBuffer: 64 << 20 }).toString());
}

describe('integration: send --zip', { concurrency: 2 }, () => {
  it('a folder arrives as one file that unpacks to the same, without its links', UNZIP, async (t) => {
    const work = workspace(t);
    mkdirSync(work.path('holiday', 'empty'), { recursive: true });
    makeFile(work.path('holiday', 'film.bin'), 5_000_000);
    writeFileSync(work.path('holiday', 'h\u00e4\u4f60.txt'), 'hello');
    writeFileSync(work.path('holiday', 'nothing'), '');
    symlinkSync('film.bin', work.path('holiday', 'link'));
    const { sent, received } = await work.deliver([work.path('holiday'), '--zip']);
    assert.equal(event(sent, 'warning').reason, 'LINK_NOT_IN_ZIP');
    assert.equal(event(sent, 'warning').path, 'holiday/link');
    assert.equal(event(received, 'manifest').kind, 'stream');
    assert.deepEqual(readdirSync(work.path('out')), ['holiday.zip']);
    execFileSync('unzip', ['-q', work.path('out', 'holiday.zip'), '-d', work.path('unpacked')]);
    const unpacked = work.path('unpacked', 'holiday');
    assert.deepEqual(
      readdirSync(unpacked).sort(),
      ['empty', 'film.bin', 'h\u00e4\u4f60.txt', 'nothing'].sort(),
    );
    sameFile(work.path('holiday', 'film.bin'), work.path('unpacked', 'holiday', 'film.bin'));
  });

  it('several paths, filters, and a name of its own', PYTHON, async (t) => {
    const work = workspace(t);
    mkdirSync(work.path('a'));
    for (const name of ['one.txt', 'two.log']) writeFileSync(work.path('a', name), name);
    writeFileSync(work.path('b.txt'), 'b');
    const send = [work.path('a'), work.path('b.txt'), '--zip', '--exclude', '*.log', '--name', 'mine.zip'];
    await work.deliver(send);
    assert.deepEqual(listed(work.path('out', 'mine.zip')).sort(), [
      'files/a/',
      'files/a/one.txt',
      'files/b.txt',
    ]);
  });

  it('10,000 files', PYTHON, async (t) => {
    const work = workspace(t);
    const folder = work.folder('many');
    for (let i = 0; i < 10_000; i++) writeFileSync(`${folder}/${i}`, String(i));
    await work.deliver([folder, '--zip']);
    assert.equal(listed(work.path('out', 'many.zip')).length, 10_000);
  });

  it('a file that changes while it is packed ends it, and nothing stands there', async (t) => {
    const work = workspace(t);
    mkdirSync(work.path('a'));
    // All holes, and more than is read ahead.
    writeFileSync(work.path('a', 'big.bin'), '');
    truncateSync(work.path('a', 'big.bin'), 2_000_000_000);
    const { sender, code, port } = await work.sender([work.path('a'), '--zip', '--limit', '4M']);
    const receiver = work.receiver(code, port, ['--to', work.folder('out')]);
    await receiver.until(({ event: name, bytes }) => name === 'progress' && Number(bytes) > 0);
    truncateSync(work.path('a', 'big.bin'), 1_900_000_000);
    assert.equal(errorCode(await sender.ends(1)), 'UNREADABLE');
    await receiver.ends(1);
    assert.deepEqual(
      readdirSync(work.path('out')).filter((name) => !name.startsWith('.beeline-')),
      [],
    );
  });
});
