/** Beeline's command over loopback, as a person would run it: each side by itself, and one whole transfer. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEADLINE, delay, failure, freePort, startMeasured, within } from './processes.mjs';

// Nothing of it leaves this machine.
process.env.BEELINE_DHT ??= 'off';
const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
/** Milliseconds for a sender to show its code, and to exit after its receiver has. */
const SETTLE = 30_000;
/** Bytes a second that are waited for, for files that take longer than any other command may. */
const SLOWEST = 50e6;

/** Milliseconds that a transfer of so many bytes may take. */
export const deadlineFor = (bytes) => Math.max(DEADLINE, (bytes / SLOWEST) * 1000);

/** One side. `env` and `args` are added to what keeps it off the home folder and the local network. */
function side(work, name, args, { lanes, deadline, env, onEvent, prefix, lan = false, args: more = [] }) {
  const common = [
    '--json',
    ...(lan ? [] : ['--no-lan']),
    ...(lanes ? ['--lanes', String(lanes)] : []),
    ...more,
  ];
  return startMeasured(work, name, COMMAND, [...args, ...common], {
    deadline,
    ...(prefix && { prefix }),
    env: { BEELINE_CONFIG_DIR: join(work, 'config'), BEELINE_STATE_DIR: join(work, 'state'), ...env },
    onLine: (line) => {
      const event = parse(line);
      if (event) onEvent?.(event);
    },
  });
}

/** Resolves once the sender has shown its `code` and can be found at `port`. Throws if it does not get that far. */
export async function startSender(work, path, options = {}) {
  const port = await freePort();
  let showCode = () => {};
  const code = new Promise((resolve) => {
    showCode = resolve;
  });
  const onEvent = (event) => {
    if (event.event === 'code') showCode(event.code);
  };
  const started = performance.now();
  const sender = side(work, 'sender', ['send', path, ...(options.lan ? [] : ['--port', String(port)])], {
    ...options,
    onEvent,
  });
  const shown = await within(SETTLE, code, sender.exited);
  if (typeof shown !== 'string') {
    sender.kill('SIGKILL');
    throw new Error(shown ? failure('beeline send', shown) : 'No code was shown.');
  }
  const codeSeconds = (performance.now() - started) / 1000;
  await delay(200);
  return { ...sender, code: shown, port, codeSeconds };
}

/** `sender` is what `startSender` gave; `options.onEvent` gets every event as it comes. */
export function startReceiver(work, sender, to, options = {}) {
  const at = options.lan ? [] : ['--at', `127.0.0.1:${sender.port}`];
  const args = ['receive', ...at, '--to', to, '--yes'];
  // By the environment, where `ps` does not show it.
  return side(work, 'receiver', args, { ...options, env: { ...options.env, BEELINE_CODE: sender.code } });
}

/**
 * Waits for both ends. `seconds` runs from the receiver's start to its exit, `code` from the sender's to its code, `done` is the
 * receiver's last event.
 * Throws unless both exit 0 and show the same root.
 */
export async function bothDone(sender, receiver) {
  const received = await receiver.exited;
  if (received.status !== 0) throw new Error(failure('beeline receive', received));
  const sent = await within(SETTLE, sender.exited);
  if (sent?.status !== 0) throw new Error(sent ? failure('beeline send', sent) : 'The sender did not exit.');
  const [from, done] = [doneOf(sent.stdout), doneOf(received.stdout)];
  if (!done?.root || done.root !== from?.root)
    throw new Error(`The roots differ: ${from?.root} and ${done?.root}.`);
  const { seconds } = received;
  const usage = { from: sender.usage(), to: receiver.usage() };
  return { seconds, code: sender.codeSeconds, ...usage, root: done.root, done };
}

/** One transfer between two machines on `wire`, which meet by mDNS: milliseconds from the receiver's start. */
export async function beelineOnLan(work, path, to, wire, options) {
  const lan = { ...options, lan: true };
  let showCode = () => {};
  const shown = new Promise((resolve) => {
    showCode = resolve;
  });
  const onCode = ({ event, code }) => event === 'code' && showCode(code);
  const at = (host, more) => ({ ...lan, prefix: host.prefix, ...more });
  const sender = side(work, 'sender', ['send', path], at(wire.left, { onEvent: onCode }));
  try {
    const code = await within(SETTLE, shown, sender.exited);
    if (typeof code !== 'string') throw new Error('No code was shown.');
    await delay(200);
    const began = performance.now();
    const seen = {};
    const onEvent = ({ event, bytes }) => {
      const name = event === 'progress' ? bytes > 0 && 'first' : event;
      if (name) seen[name] ??= performance.now() - began;
    };
    const env = { ...options.env, BEELINE_CODE: code };
    const receiver = side(
      work,
      'receiver',
      ['receive', '--to', to, '--yes'],
      at(wire.right, { env, onEvent }),
    );
    await bothDone(sender, receiver);
    return seen;
  } finally {
    sender.kill('SIGKILL');
  }
}

/** One transfer. The sender is up and waiting before the clock starts. */
export async function beeline(work, path, to, options = {}) {
  const sender = await startSender(work, path, options);
  try {
    return await bothDone(sender, startReceiver(work, sender, to, options));
  } finally {
    sender.kill('SIGKILL');
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function doneOf(stdout) {
  const events = stdout.split('\n').map(parse);
  return events.find((event) => event?.event === 'done');
}
