// The first thing to try: makes a folder, starts `beeline send` and `beeline receive` on it as two real processes,
// shows what they print, compares what arrived byte by byte, and cleans up.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

// Nothing of it leaves this machine.
process.env.BEELINE_DHT ??= 'off';
const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const DEADLINE = 60_000;

if (!existsSync(COMMAND)) {
  console.error('There is no dist/cli/main.js yet: run `npm run setup` first.');
  process.exit(1);
}

const work = mkdtempSync(join(tmpdir(), 'beeline-demo-'));
const running = [];
const late = setTimeout(() => {
  console.error(`The demo did not end within ${DEADLINE / 1000} seconds.`);
  process.exit(1);
}, DEADLINE);
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

try {
  await demo();
} catch (error) {
  console.error(`The demo failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  clearTimeout(late);
}

async function demo() {
  const gift = join(work, 'gift');
  const out = join(work, 'received');
  mkdirSync(join(gift, 'letters'), { recursive: true });
  mkdirSync(out);
  writeFileSync(join(gift, 'photo.raw'), randomBytes(64 << 20));
  for (let i = 1; i <= 100; i++)
    writeFileSync(join(gift, 'letters', `letter ${i}.txt`), `Letter ${i}\n`.repeat(i));

  const port = await freePort();
  const sender = start('send', [gift, '--no-lan', '--port', String(port)]);
  const { code } = await sender.event('code');
  // The code goes by the environment, as in a script, so that it does not stand in the list of processes.
  const receiver = start('receive', ['--at', `127.0.0.1:${port}`, '--no-lan', '--yes', '--to', out], {
    BEELINE_CODE: code,
  });
  const [sent, received] = await Promise.all([sender.event('done'), receiver.event('done')]);
  await Promise.all([sender.succeeded, receiver.succeeded]);

  if (sent.root !== received.root) throw new Error(`the roots differ: ${sent.root} and ${received.root}.`);
  const [before, after] = [fingerprint(gift), fingerprint(join(out, 'gift'))];
  if (before !== after) throw new Error('what arrived is not what was sent.');
  console.log(
    `\n${received.files} files, ${received.bytes} bytes in ${received.seconds.toFixed(2)} s, byte for byte the same.`,
  );
  console.log(`root ${received.root}, the same on both sides.`);
}

/** Starts the command, prints its events as they come, and hands them out by name. */
function start(name, args, env = {}) {
  console.log(`$ beeline ${name} ${args.join(' ')}`);
  const child = spawn(process.execPath, [COMMAND, name, ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, BEELINE_CONFIG_DIR: work, BEELINE_STATE_DIR: work, ...env },
  });
  running.push(child);
  const events = new Map();
  const waiting = new Map();
  createInterface({ input: child.stdout }).on('line', (line) => {
    console.log(`${name.padStart(7)} | ${line}`);
    const event = JSON.parse(line);
    if (!events.has(event.event)) events.set(event.event, event);
    waiting.get(event.event)?.(event);
  });
  const succeeded = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) =>
      status === 0 ? resolve() : reject(new Error(`beeline ${name} ended with ${status}.`)),
    );
  });
  // Awaited at the end; a failure before that reaches `event` first.
  succeeded.catch(() => {});
  const event = (wanted) =>
    events.has(wanted)
      ? Promise.resolve(events.get(wanted))
      : Promise.race([
          new Promise((resolve) => waiting.set(wanted, resolve)),
          succeeded.then(() => {
            if (events.has(wanted)) return events.get(wanted);
            throw new Error(`beeline ${name} ended without telling "${wanted}".`);
          }),
        ]);
  return { event, succeeded };
}

/** One hash over the names and contents of a folder. */
function fingerprint(folder) {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
    hash.update(`${name}\0`);
    if (statSync(join(folder, name)).isFile()) hash.update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
