/** One sender and its receivers, each a command on a machine of its own: how long until the last one has it. */
import { mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sameFile } from './files.mjs';
import { failure, startMeasured, within } from './processes.mjs';

// Nothing of it leaves this machine.
process.env.BEELINE_DHT ??= 'off';
const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const PORT = 47_300;
/** Milliseconds for a sender to show its code, and to exit after its receivers have. */
const SETTLE = 60_000;

/**
 * Sends `file` from `origin` to all of `hosts`. Throws unless everybody exits with 0 and has the same bytes.
 * @param deadline milliseconds for all of it
 */
export async function sendToAll({ work, file, origin, hosts, swarm, deadline }) {
  const many = hosts.length > 1 ? ['--receivers', String(hosts.length)] : [];
  const help = hosts.length > 1 && !swarm ? ['--no-swarm'] : [];
  let showCode = () => {};
  const shown = new Promise((resolve) => {
    showCode = resolve;
  });
  const sender = command(work, 'sender', origin, ['send', file, '--port', String(PORT), ...many, ...help], {
    deadline,
    onEvent: (event) => event.event === 'code' && showCode(event.code),
  });
  const code = await within(SETTLE, shown, sender.exited);
  if (typeof code !== 'string') throw new Error(code ? failure('beeline send', code) : 'No code was shown.');
  const clock = processorClock();
  const receivers = hosts.map((host, i) => {
    const to = join(work, `to-${i}`);
    mkdirSync(to);
    const args = ['receive', '--at', `${origin.address}:${PORT}`, '--to', to, '--yes'];
    const log = { last: {} };
    // By the environment, where `ps` does not show it.
    const options = { deadline, env: { BEELINE_CODE: code }, onEvent: (event) => note(log, event) };
    return { to, log, ...command(work, `receiver-${i}`, host, args, options) };
  });
  const ends = await Promise.all(receivers.map((receiver) => orFailure(receiver, sender)));
  const busy = clock();
  const sent = await within(SETTLE, sender.exited);
  if (sent?.status !== 0) throw new Error(sent ? failure('beeline send', sent) : 'The sender did not exit.');
  for (const { to } of receivers) sameFile(file, join(to, basename(file)));
  return {
    seconds: Math.max(...ends.map((end) => end.seconds)),
    each: ends.map((end) => end.seconds),
    // Starting so many processes at once costs seconds that no cable has to do with.
    transferring: Math.max(...receivers.map(({ log }) => log.done - Math.min(...starts(receivers)))),
    busy,
    from: sender.usage(),
    to: receivers.map((receiver) => receiver.usage()),
    swarm: receivers.map(({ log }) => log.last.swarm),
    lanes: receivers.map(({ log }) => log.lanes ?? 0),
  };
}

const starts = (receivers) => receivers.map(({ log }) => log.transferring);

function note(log, event) {
  const at = performance.now() / 1000;
  if (event.event === 'state' && event.to === 'transferring') log.transferring ??= at;
  if (event.event === 'done') log.done = at;
  if (event.event === 'swarm') log.last.swarm = event;
  if (event.event === 'lane' && event.peer === 1 && event.status === 'open') log.lanes = (log.lanes ?? 0) + 1;
}

/** A receiver's end. Whoever fails ends the benchmark at once: the others may wait for it. */
async function orFailure(receiver, sender) {
  const broken = sender.exited.then((end) => {
    if (end.status !== 0) throw new Error(failure('beeline send', end));
    return receiver.exited;
  });
  const end = await Promise.race([receiver.exited, broken]);
  if (end.status !== 0) throw new Error(failure('beeline receive', end));
  return end;
}

function command(work, name, { prefix }, args, { deadline, env, onEvent }) {
  return startMeasured(work, name, COMMAND, [...args, '--json', '--no-lan'], {
    prefix,
    deadline,
    env: {
      BEELINE_CONFIG_DIR: join(work, name, 'config'),
      BEELINE_STATE_DIR: join(work, name, 'state'),
      ...env,
    },
    onLine: (line) => onEvent(parse(line)),
  });
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

/** How busy all processors are, 0 to 1, from now until the answer is called: whoever keeps them so. */
function processorClock() {
  const began = ticks();
  return () => {
    const ended = ticks();
    return 1 - (ended.idle - began.idle) / Math.max(1, ended.all - began.all);
  };
}

/** proc(5): user, nice, system, idle, iowait, irq, softirq, steal of all processors together. */
function ticks() {
  const [first = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  const fields = first.split(/\s+/).slice(1, 9).map(Number);
  return { idle: fields[3] + fields[4], all: fields.reduce((sum, field) => sum + field, 0) };
}
