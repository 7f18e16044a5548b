/** Ctrl-C is heard by the real command, whatever a hostile sender has it do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Entry } from '../../src/offer/manifest.ts';
import type { Line } from '../integration/command.ts';
import { workspace } from '../integration/workspace.ts';
import { file, folder, link } from '../node/files/helpers.ts';
import { badSender, CODE, type Script } from './bad-sender.ts';

const METER = fileURLToPath(new URL('./turn-meter.mjs', import.meta.url));
const LIMIT = { timeout: 240_000, skip: process.platform !== 'linux' && 'the meter reads /proc' };
/**
 * Milliseconds of the main thread's processor time. A slice is 20; the rest is for collecting garbage, which on a busy
 * machine is done by this thread too.
 */
const LONGEST_MS = 150;
const TIB = 1024 ** 4;

/** 35 MB of links whose targets climb and descend again, deep in a tree. */
function links(): Entry[] {
  const entries: Entry[] = [];
  let path = '';
  for (let depth = 0; depth < 15; depth++) {
    path += `${path && '/'}${'x'.repeat(250)}`;
    entries.push(folder(path));
  }
  entries.push(folder(`${path}/a`));
  for (let i = 0; i < 4400; i++) entries.push(link(`${path}/l${i}`, `${'a/../'.repeat(815)}a`));
  return entries;
}

const files = (count: number) => Array.from({ length: count }, (_, i) => file(`f${i}`, 1));

interface Case {
  script: Script;
  args?: string[];
  /** When Ctrl-C comes, told from its lines; after it, so many milliseconds. */
  at: (line: Line) => boolean;
  after: number;
}

/** The sender's last word does not come, so that there is something to interrupt, however fast the receiver is. */
const unfinished: Script['answer'] = (_lane, message) => message.type !== 'finish';

const CASES: Record<string, () => Case> = {
  'while 35 MB of links arrive': () => ({
    script: { entries: links(), answer: unfinished },
    at: ({ event }) => event === 'lane',
    after: 200,
  }),
  'once 35 MB of links were accepted': () => ({
    script: { entries: links(), answer: unfinished },
    at: ({ event }) => event === 'manifest',
    after: 50,
  }),
  'one file of 64 TiB': () => ({
    // What it asks for never comes.
    script: {
      entries: [file('big', 64 * TIB)],
      offer: { chunkSize: 4 * 1024 * 1024 },
      answer: (_lane, { type }) => type !== 'get',
    },
    at: ({ event }) => event === 'manifest',
    after: 1500,
  }),
  '20,000 files of a byte with --overwrite update': () => ({
    script: { entries: files(20_000), offer: { update: true }, answer: unfinished },
    args: ['--overwrite', 'update'],
    at: ({ event, bytes }) => event === 'progress' && Number(bytes) > 0,
    after: 100,
  }),
};

for (const [what, make] of Object.entries(CASES))
  test(`protects from: a receiver deaf to Ctrl-C: ${what}`, LIMIT, async (t) => {
    const work = workspace(t);
    const { script, args = [], at, after } = make();
    const sender = await badSender(t, {
      ...script,
      // One that leaves when it is told so, as any would.
      answer: (lane, message) => {
        if (message.type === 'status' && message.state === 'failed') lane.close();
        return script.answer?.(lane, message);
      },
    });
    const env = { NODE_OPTIONS: `--import ${METER}` };
    const receiver = work.receiver(CODE, sender.port, ['--to', work.folder('to'), ...args], { env });
    await receiver.until(at);
    await new Promise((resolve) => setTimeout(resolve, after));
    receiver.signal('SIGINT');
    const { stderr, events } = await receiver.ends(130);
    assert.equal(events.at(-1)?.code, 'INTERRUPTED');
    const held = /meter SIGINT ([\d.]+)/.exec(stderr);
    assert.ok(held, stderr);
    assert.ok(Number(held[1]) < LONGEST_MS, `held for ${held[1]} ms before it was heard`);
    const whole = /meter exit ([\d.]+)/.exec(stderr);
    assert.ok(Number(whole?.[1]) < LONGEST_MS, `held for ${whole?.[1]} ms until the end`);
  });
