/**
 * One end of a link under test: `echo ADDRESS` and `sink ADDRESS` serve UDP and TCP until stdin closes, `ping`,
 * `blast` and `pour` use them. Every result is one line of JSON; a server's first line says that it listens.
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const PORT = 47_100;
const [role, address, ...numbers] = process.argv.slice(2);
const [first, second, third] = numbers.map(Number);
const tell = (value) => console.log(JSON.stringify(value));
const udp = () => createSocket(address.includes(':') ? 'udp6' : 'udp4');

const roles = {
  echo() {
    const socket = udp();
    socket.on('message', (message, from) => socket.send(message, from.port, from.address));
    socket.bind(PORT, address, () => tell('ready'));
    process.stdin.resume().on('end', () => socket.close());
  },

  /** `first` datagrams, at most 256, each sent when the one before has come back; tells their round trips in milliseconds. */
  async ping() {
    const socket = udp();
    const times = [];
    for (let i = 0; i < first; i++) {
      const sent = performance.now();
      const own = new Promise((resolve) => {
        const listen = (message) => {
          // A late answer to an earlier one is none to this.
          if (message[0] !== i) return;
          socket.off('message', listen);
          resolve(performance.now() - sent);
        };
        socket.on('message', listen);
      });
      socket.send(Buffer.alloc(64, i), PORT, address);
      times.push(await own);
    }
    tell(times);
    socket.close();
  },

  /** `first` datagrams of `second` bytes, offered at `third` Mbit/s. */
  async blast() {
    const socket = udp();
    const message = Buffer.alloc(second);
    let due = 0;
    let last = performance.now();
    for (let i = 0; i < first; ) {
      const now = performance.now();
      // What was missed while the machine was busy is not made up for in one burst.
      due += (Math.min(now - last, 100) * third * 1000) / (second * 8);
      last = now;
      for (; i < Math.min(first, due); i++) socket.send(message, PORT, address);
      await delay(2);
    }
    socket.close(() => tell(first));
  },

  /** Tells, once the connection has ended, how much had come in at which time: [milliseconds, bytes] each. */
  sink() {
    const server = createServer((socket) => {
      const began = performance.now();
      const samples = [];
      let bytes = 0;
      socket.on('data', (part) => {
        bytes += part.length;
        const at = performance.now() - began;
        if (at - (samples.at(-1)?.[0] ?? -100) >= 50) samples.push([at, bytes]);
      });
      socket.on('error', () => {}).on('close', () => tell(samples));
    });
    server.listen(PORT, address, () => tell('ready'));
    process.stdin.resume().on('end', () => process.exit());
  },

  /** Pours bytes into a sink for `first` milliseconds. */
  pour() {
    const block = Buffer.alloc(1 << 18);
    const socket = connect(PORT, address);
    const fill = () => {
      while (socket.write(block));
    };
    socket.on('connect', fill).on('drain', fill);
    setTimeout(() => socket.destroy(), first);
  },
};

await roles[role]();
