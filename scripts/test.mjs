// Runs every test file under test/ (or those whose path contains an argument) on node's own runner, then
// prints one closing line. Skips are listed with their reasons, so that CI can tell which suites ran.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const wanted = process.argv.slice(2);
const files = readdirSync('test', { recursive: true })
  .map((name) => join('test', String(name)))
  .filter(
    (name) =>
      name.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => name.includes(part))),
  )
  .sort();

const runner = spawn(
  process.execPath,
  [
    '--import',
    'tsx',
    '--test',
    '--test-concurrency=2',
    '--test-timeout=300000',
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
  console.log(`${count('pass')} passed, ${failed} failed, ${count('skipped')} skipped`);
  process.exitCode = status === 0 && failed === 0 && count('pass') > 0 ? 0 : 1;
});
