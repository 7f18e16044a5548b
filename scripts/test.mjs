// Runs every test file under test/ on node's own runner: or those whose path contains an argument, and not those whose
// path contains one after a '-' (`browser -lab`). Then prints one closing line. Before it come the skips with their reasons, so that CI can tell which suites ran, and
// the failures with theirs, so that the end of a log is enough.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const given = process.argv.slice(2);
const wanted = given.filter((part) => !part.startsWith('-'));
const unwanted = given.filter((part) => part.startsWith('-')).map((part) => part.slice(1));
const files = readdirSync('test', { recursive: true })
  .map((name) => join('test', String(name)))
  .filter(
    (name) =>
      name.endsWith('.test.ts') &&
      (wanted.length === 0 || wanted.some((part) => name.includes(part))) &&
      !unwanted.some((part) => name.includes(part)),
  )
  .sort();

/** The failed tests of a TAP text, each with its diagnosis; not those that failed only for a test within them. */
function failures(text) {
  const lines = text.split('\n');
  return lines.flatMap((line, at) => {
    if (!/^\s*not ok /.test(line)) return [];
    const end = lines.findIndex((other, index) => index > at && other.trim() === '...');
    const block = lines.slice(at, end < 0 ? at + 40 : Math.min(end, at + 40));
    return block.some((other) => other.includes("failureType: 'subtestsFailed'")) ? [] : [block.join('\n')];
  });
}

const runner = spawn(
  process.execPath,
  [
    '--import',
    'tsx',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=600000',
    '--test-reporter=tap',
    ...files,
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
let text = '';
runner.stdout.setEncoding('utf8');
runner.stdout.on('data', (part) => {
  text += part;
  process.stdout.write(part);
});
runner.on('close', (status) => {
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  for (const line of text.match(/^\s*ok .* # SKIP.*$/gm) ?? []) console.log(`skipped: ${line.trim()}`);
  for (const block of failures(text)) console.log(`failed: ${block.trim()}`);
  console.log(`${count('pass')} passed, ${failed} failed, ${count('skipped')} skipped`);
  process.exitCode = status === 0 && failed === 0 && count('pass') > 0 ? 0 : 1;
});
