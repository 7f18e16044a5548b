#!/usr/bin/env node
/** The load bench of `beeline server`, alone and as several instances: see `--help`. */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { whole } from './args.mjs';
import { bench, given } from './main.mjs';
import { cpuOf, freePort, start } from './processes.mjs';
import { columns, fixed, mebibytes } from './report.mjs';

const HELP = `npm run bench:server -- [--waiting 5000] [--joins 200] [--seconds 10] [--instances 3] [--dir FOLDER]

On loopback: mailboxes that wait (--waiting for each instance), and then guests that join them, each at the next instance in turn
(--joins a second for each instance, for --seconds). First a server that is alone, then 1, 2 and so on up to --instances instances that
share a redis-server of the bench's own. For each: memory of an instance after a collection of garbage, empty and with its mailboxes;
the time from dialling to \`joined\`; processor time of all instances and of Redis in that time, and for each thousand joins. Clients and
servers share this machine's cores, so times are upper bounds.`;

const END = fileURLToPath(new URL('./server-load-end.mjs', import.meta.url));
/** Hosts that sit down in a second, at all instances together: before what is measured. */
const HOSTS_PER_SECOND = 400;
const DEADLINE_MS = 20_000;

const options = given((argv) => {
  const { values } = parseArgs({
    args: argv,
    options: {
      waiting: { type: 'string', default: '5000' },
      joins: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '10' },
      instances: { type: 'string', default: '3' },
      dir: { type: 'string', default: tmpdir() },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const number = (name) => whole(values[name], name);
  return {
    ...values,
    ...{ waiting: number('waiting'), joins: number('joins') },
    ...{ seconds: number('seconds'), instances: number('instances') },
  };
});
await bench('server', options, HELP, main);

async function main(root) {
  const { waiting, joins, seconds } = options;
  console.log(
    `${waiting} mailboxes wait at each instance; ${joins} joins a second and instance, for ${seconds} s`,
  );
  const rows = [
    [
      'instances',
      'empty MiB',
      'full MiB',
      'kB a mailbox',
      'joins',
      'refused',
      'p50 ms',
      'p99 ms',
      'CPU s',
      'Redis CPU s',
      'CPU ms a join',
    ],
  ];
  try {
    rows.push(['alone', ...(await round(1))]);
    for (let count = 1; count <= options.instances; count++) {
      const redis = await startRedis(root);
      try {
        rows.push([String(count), ...(await round(count, redis))]);
      } finally {
        redis.stop();
      }
    }
  } finally {
    console.log(columns(rows[0], rows.slice(1)));
  }
}

async function startRedis(root) {
  const port = await freePort();
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    join(root, '/'),
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const child = start('redis-server', args);
  await answering(port);
  return { url: `redis://127.0.0.1:${port}`, pid: child.pid, stop: () => child.kill('SIGKILL') };
}

async function answering(port) {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, '127.0.0.1');
    const there = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (there) return;
    await sleep(25);
  }
  throw new Error('redis-server does not answer');
}

async function round(count, redis) {
  const servers = await Promise.all(Array.from({ length: count }, () => startInstance(redis?.url)));
  try {
    return await measure(servers, redis);
  } finally {
    for (const { child } of servers) child.kill('SIGKILL');
  }
}

async function startInstance(redis) {
  const child = fork(END, redis ? [redis] : [], { execArgv: ['--expose-gc'] });
  const [{ port }] = await once(child, 'message');
  return {
    ...{ child, port },
    async used() {
      child.send('used');
      return (await once(child, 'message'))[0];
    },
  };
}

async function measure(servers, redis) {
  const used = () => Promise.all(servers.map((server) => server.used()));
  const empty = await used();
  const hosts = (
    await Promise.all(servers.map((server) => seatHosts(server, HOSTS_PER_SECOND / servers.length)))
  ).flat();
  await sleep(2_000);
  const full = await used();
  const redisBefore = redis ? cpuOf(redis.pid) : 0;
  const joined = (await Promise.all(servers.map((_, at) => seatGuests(servers, at, hosts)))).flat();
  const after = await used();
  const redisCpu = redis ? cpuOf(redis.pid) - redisBefore : undefined;
  for (const { end } of hosts) end();
  const sum = (all, what) => all.reduce((total, each) => total + each[what], 0);
  const refused = sum(joined, 'refused');
  const times = joined.map(({ took }) => took).sort((a, b) => a - b);
  const cpu = sum(after, 'cpu') - sum(full, 'cpu');
  const memory = (all) => sum(all, 'rss') / servers.length;
  const each = (memory(full) - memory(empty)) / options.waiting;
  return [
    ...[
      mebibytes(memory(empty)),
      mebibytes(memory(full)),
      fixed(each / 1000, 1),
      String(times.length),
      String(refused),
    ],
    ...[fixed(quantile(times, 0.5), 1), fixed(quantile(times, 0.99), 1)],
    ...[fixed(cpu, 2), fixed(redisCpu, 2), fixed(((cpu + (redisCpu ?? 0)) * 1000) / times.length, 2)],
  ];
}

function quantile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** In batches of a tenth of a second. */
async function inTime(total, perSecond, act) {
  const all = [];
  const began = performance.now();
  for (let done = 0; done < total; ) {
    const due = Math.min(total, Math.ceil(((performance.now() - began) / 1000 + 0.1) * perSecond));
    for (; done < due; done++) all.push(act(done));
    await sleep(100);
  }
  return Promise.all(all);
}

function seatHosts({ port }, perSecond) {
  return inTime(options.waiting, perSecond, async () => {
    const seat = dial(port, { t: 'host', v: 2 });
    const { nameplate } = await seat.answer;
    return { nameplate, port, end: seat.end };
  });
}

/** Each guest at an instance, whatever the home of its mailbox is. */
function seatGuests(servers, at, hosts) {
  const own = hosts.filter((_, i) => i % servers.length === at);
  return inTime(options.joins * options.seconds, options.joins, async (i) => {
    const began = performance.now();
    const seat = dial(servers[at].port, { t: 'join', v: 2, nameplate: own[(i * 7) % own.length].nameplate });
    const answer = await seat.answer;
    const took = performance.now() - began;
    seat.end();
    // Its host takes one guest at a time, and the one before may still be on its way out.
    const answered = answer.t === 'joined' || answer.code === 'CROWDED';
    return { took, refused: answered ? 0 : 1 };
  });
}

/** A client without a library: thousands of those are in one process. Every one has an address of its own, as behind a proxy. */
function dial(port, first) {
  const socket = connect(port, '127.0.0.1');
  const address = `10.${[...randomBytes(3)].join('.')}`;
  socket.setNoDelay(true);
  socket.write(
    [
      'GET /v1/rendezvous HTTP/1.1',
      `Host: 127.0.0.1:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      `X-Forwarded-For: ${address}`,
      `beeline-first: ${JSON.stringify(first)}`,
      '\r\n',
    ].join('\r\n'),
  );
  const answer = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('no answer in time')), DEADLINE_MS);
    let kept = Buffer.alloc(0);
    let upgraded = false;
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`closed: ${kept.toString().slice(0, 300)}`)));
    socket.on('data', (part) => {
      kept = kept.length > 0 ? Buffer.concat([kept, part]) : part;
      if (!upgraded) {
        const end = kept.indexOf('\r\n\r\n');
        if (end < 0) return;
        upgraded = true;
        kept = kept.subarray(end + 4);
      }
      for (let frame = frameOf(kept); frame; frame = frameOf(kept)) {
        kept = kept.subarray(frame.end);
        if (frame.code === 9) socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0]));
        if (frame.code !== 1) continue;
        clearTimeout(late);
        resolve(JSON.parse(frame.body.toString()));
      }
    });
  });
  return { answer, end: () => socket.destroy() };
}

/** The next whole frame of a server. */
function frameOf(bytes) {
  if (bytes.length < 2) return undefined;
  const short = bytes[1];
  const start = short === 126 ? 4 : 2;
  if (short > 126) throw new Error('a frame that is too large');
  const length = short === 126 ? (bytes.length < 4 ? Infinity : bytes.readUInt16BE(2)) : short;
  if (bytes.length < start + length) return undefined;
  return { code: bytes[0] & 15, body: bytes.subarray(start, start + length), end: start + length };
}
