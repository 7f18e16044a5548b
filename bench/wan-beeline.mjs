/** Beeline's command over a wide-area link: what arrives when, and which lanes carried it. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure, start, within } from './processes.mjs';
import { Samples } from './wan-samples.mjs';

// Nothing of it leaves this machine.
process.env.BEELINE_DHT ??= 'off';
const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const PORT = 47_200;
/** Milliseconds for a sender to show its code, and for a small file to get there. */
const SETTLE = 30_000;
const WHOLE = 120_000;

/** Beeline's command, which a build has in `dist`; default: this one. */
export const beelineOf = (dist) => (options) => beeline({ ...options, command: join(dist, 'cli/main.js') });

/** Sends `file` for so many seconds, and is at it still when this resolves. Throws when it ends before. */
export async function beeline({ seconds, ...options }) {
  const { sender, receiver, samples, lanes } = await begun({ ...options, deadline: seconds * 1000 });
  const ended = await within(seconds * 1000, receiver.exited, sender.exited);
  if (ended) throw new Error(failure('beeline, which should still be at it,', ended));
  return { samples, lanes: lanes.summary() };
}

/** Sends `file` to its end: when its first lane was up, its first byte there, and its receiver had ended, in seconds from its start. */
export async function wholeFile(options) {
  const { receiver, samples, lanes } = await begun({ ...options, deadline: WHOLE });
  const ended = await receiver.exited;
  if (ended.status !== 0) throw new Error(failure('beeline receive', ended));
  const firstLane = Math.min(...lanes.summary().map(({ first }) => first));
  return { firstLane, firstByte: samples.firstByte, seconds: ended.seconds };
}

async function begun({ work, wan, file, deadline, lanes, command = COMMAND }) {
  const env = { BEELINE_CONFIG_DIR: join(work, 'config'), BEELINE_STATE_DIR: join(work, 'state') };
  const more = ['--no-lan', '--json', ...(lanes ? ['--lanes', String(lanes)] : [])];
  const run = (host, args, options) => {
    const [program, ...rest] = [...host.prefix, process.execPath, command, ...args, ...more];
    return start(program, rest, {
      ...options,
      deadline: SETTLE + deadline + 10_000,
      env: { ...env, ...options.env },
    });
  };
  let showCode = () => {};
  const shown = new Promise((resolve) => {
    showCode = resolve;
  });
  const sender = run(wan.left, ['send', file, '--port', String(PORT)], {
    onLine: events({ code: ({ code }) => showCode(code) }),
  });
  const code = await within(SETTLE, shown, sender.exited);
  if (typeof code !== 'string') throw new Error(code ? failure('beeline send', code) : 'No code was shown.');
  const samples = new Samples();
  const lanesSeen = new Lanes(samples);
  const receiver = run(wan.right, ['receive', '--at', `${wan.left.address}:${PORT}`, '--to', work, '--yes'], {
    // By the environment, where `ps` does not show it.
    env: { BEELINE_CODE: code },
    onLine: events({
      progress: ({ bytes }) => samples.add(bytes),
      lane: (event) => lanesSeen.add(event),
    }),
  });
  return { sender, receiver, samples, lanes: lanesSeen };
}

/** A reader of `--json` lines. */
function events(handlers) {
  return (line) => {
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      return;
    }
    handlers[event.event]?.(event);
  };
}

/** Lanes of each kind: the most at once, how many were opened in all, and when the first one was. */
class Lanes {
  #samples;
  #open = new Map();
  #kinds = {};

  constructor(samples) {
    this.#samples = samples;
  }

  add({ id, kind, status }) {
    if (status !== 'open') {
      this.#open.delete(id);
      return;
    }
    this.#open.set(id, kind);
    this.#kinds[kind] ??= { most: 0, opened: 0, first: this.#samples.seconds };
    const one = this.#kinds[kind];
    one.opened++;
    one.most = Math.max(one.most, [...this.#open.values()].filter((other) => other === kind).length);
  }

  summary() {
    const last = {};
    for (const kind of this.#open.values()) last[kind] = (last[kind] ?? 0) + 1;
    return Object.entries(this.#kinds).map(([kind, one]) => ({ kind, ...one, last: last[kind] ?? 0 }));
  }
}
