/** One Beeline transfer from command to command over loopback, as a person would run it. */
import { fileURLToPath } from 'node:url';
import { delay, failure, freePort, startMeasured, within } from './processes.mjs';

const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
/** Milliseconds for a sender to show its code, and to exit after its receiver has. */
const SETTLE = 30_000;

/**
 * The sender is up and waiting before the clock starts; `seconds` runs from the receiver's start to its exit.
 * Throws unless both exit 0 and show the same root.
 */
export async function beeline(work, path, to, { lanes } = {}) {
  const common = ['--json', '--no-lan', ...(lanes ? ['--lanes', String(lanes)] : [])];
  const config = { XDG_CONFIG_HOME: work };
  const port = await freePort();
  let showCode = () => {};
  const code = new Promise((resolve) => {
    showCode = resolve;
  });
  const sender = startMeasured(work, 'sender', COMMAND, ['send', path, '--port', String(port), ...common], {
    env: config,
    onLine: (line) => {
      const event = parse(line);
      if (event?.event === 'code') showCode(event.code);
    },
  });
  try {
    const shown = await within(SETTLE, code, sender.exited);
    if (typeof shown !== 'string')
      throw new Error(shown ? failure('beeline send', shown) : 'No code was shown.');
    await delay(200);
    const args = ['receive', '--at', `127.0.0.1:${port}`, '--to', to, '--yes', ...common];
    const receiver = startMeasured(work, 'receiver', COMMAND, args, {
      env: { ...config, BEELINE_CODE: shown },
    });
    const received = await receiver.exited;
    if (received.status !== 0) throw new Error(failure('beeline receive', received));
    const sent = await within(SETTLE, sender.exited);
    if (sent?.status !== 0)
      throw new Error(sent ? failure('beeline send', sent) : 'The sender did not exit.');
    const roots = [rootOf(sent.stdout), rootOf(received.stdout)];
    if (!roots[0] || roots[0] !== roots[1]) throw new Error(`The roots differ: ${roots.join(' and ')}.`);
    return { seconds: received.seconds, from: sender.usage(), to: receiver.usage(), root: roots[0] };
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

function rootOf(stdout) {
  const events = stdout.split('\n').map(parse);
  return events.find((event) => event?.event === 'done')?.root;
}
