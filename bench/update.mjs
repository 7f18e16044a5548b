/** A tree that was sent once, changed in about a hundredth of it, and sent again with --update. */
import { randomFillSync } from 'node:crypto';
import { appendFileSync, closeSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beeline } from './beeline.mjs';
import { makeFile, makeTree, sameTree } from './files.mjs';
import { columns, fixed, mebibytes } from './report.mjs';
import { emptyFolder } from './turns.mjs';

const MIB = 2 ** 20;

/** A tenth of the small files and a file of a quarter of the size. Prints the figures and resolves with them. */
export async function update(work, { size, files, fileSize, lanes }) {
  const tree = join(work, 'refreshed');
  const large = join(tree, 'large.bin');
  const count = Math.ceil(files / 10);
  makeTree(tree, count, fileSize);
  makeFile(large, Math.ceil(size / 4));
  const to = join(work, 'to');
  emptyFolder(to);
  const send = async (args) => {
    const { seconds, done, from, to: usage } = await beeline(work, tree, to, { lanes, args });
    sameTree(tree, join(to, 'refreshed'));
    const left = readdirSync(to).filter((name) => name !== 'refreshed');
    if (left.length > 0) throw new Error(`The transfer left ${left.join(', ')} over.`);
    return { seconds, bytes: done.bytes, compared: done.bytes - done.resumed, from, to: usage };
  };
  const whole = await send([]);
  const before = statSync(large).size;
  const changed = change(tree, large, count, fileSize);
  const total = statSync(large).size + count * fileSize;
  const cases = { 'all of it': whole, '--update': await send(['--update']) };
  cases['--update, nothing changed'] = await send(['--update']);
  print(cases, count, fileSize, before, changed, total);
  rmSync(tree, { recursive: true });
  rmSync(to, { recursive: true });
  return { total, changed, cases };
}

/** Every hundredth small file, up to 1 MiB in the middle of the large one, and as much at its end. Bytes changed. */
function change(tree, large, count, fileSize) {
  const names = readdirSync(tree, { recursive: true }).map(String).sort();
  const small = names.filter((name) => /file-\d+$/.test(name));
  let bytes = 0;
  for (let i = 0; i < count; i += 100) bytes += overwrite(join(tree, small[i]), 0, fileSize);
  const { size } = statSync(large);
  const part = Math.min(MIB, size);
  bytes += overwrite(large, Math.floor((size - part) / 2), part);
  appendFileSync(large, randomFillSync(Buffer.allocUnsafe(part)));
  return bytes + part;
}

function overwrite(path, at, length) {
  const file = openSync(path, 'r+');
  writeSync(file, randomFillSync(Buffer.allocUnsafe(length)), 0, length, at);
  closeSync(file);
  return length;
}

function print(cases, count, fileSize, large, changed, total) {
  const share = ((changed / total) * 100).toFixed(1);
  console.log(
    `\nRefresh: ${count} files of ${fileSize / 1024} KiB and one of ${mebibytes(large)} MiB, of which`,
  );
  console.log(
    `${share} % changed (${(changed / MIB).toFixed(2)} MiB). \`written, from\` is all that the sender wrote:`,
  );
  console.log('what moved, and a little else. `compared` moved, or was found to be right by its hash. MiB.');
  const head = ['', 's', 'written, from', 'compared', 'read, from', 'read, to', 'CPU s, from', 'CPU s, to'];
  const lines = Object.entries(cases).map(([name, { seconds, compared, from, to }]) => [
    name,
    fixed(seconds, 2),
    ...[from.written, compared, from.read, to.read].map((bytes) => mebibytes(bytes, 2)),
    fixed(from.cpu, 2),
    fixed(to.cpu, 2),
  ]);
  console.log(columns(head, lines));
}
