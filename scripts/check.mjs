// All static checks, at the same time: Biome, and types three times: of everything, of the pure layers without Node's types and
// a page's, and of what runs in a page as a page has it. Each one's output comes whole, and all are told that fail.
import { spawn } from 'node:child_process';
import { TYPESCRIPT } from './typescript.mjs';

const types = (config) => [process.execPath, TYPESCRIPT, '--noEmit', '-p', config];
const CHECKS = [
  types('tsconfig.json'),
  types('tsconfig.pure.json'),
  types('tsconfig.browser.json'),
  [process.execPath, 'node_modules/@biomejs/biome/bin/biome', 'check', '.'],
];

const failed = await Promise.all(CHECKS.map(passes)).then((all) => CHECKS.filter((_, at) => !all[at]));
for (const [, ...words] of failed) console.error(`This check failed: ${words.join(' ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;

function passes([command, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (part) => {
        said += part;
      });
    child.on('error', (error) => {
      said += error.message;
    });
    child.on('close', (status) => {
      process.stdout.write(said);
      resolve(status === 0);
    });
  });
}
