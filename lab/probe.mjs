/**
 * Looks at the network from inside a host of the lab: `PREFIX node lab/probe.mjs`, one JSON command a line on standard
 * input, one JSON answer a line. Every socket is kept until standard input ends.
 *
 *   {"do":"listen","protocol":"udp"|"tcp","address":A,"port":P}            says to each caller which address it has
 *   {"do":"ask","protocol":…,"from":P,"to":A,"port":P,"wait":ms}           what a listener says; null when it is silent
 *                                                                        (or an error of TCP: 'refused', 'ENETUNREACH'...)
 *   {"do":"punch","from":P,"to":A,"port":P,"wait":ms}                      true once a TCP connection is there; null when not
 */
import { createSocket } from 'node:dgram';
import { createConnection, createServer, isIPv6 } from 'node:net';
import { createInterface } from 'node:readline';

const sockets = new Map();

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const within = (promise, ms) => Promise.race([promise, pause(ms).then(() => null)]);

/** The UDP socket of a local port: it answers who asks, and keeps what it is told. */
function udp(port, { address, v6 }) {
  const key = `udp ${address ?? ''} ${port} ${v6}`;
  if (!sockets.has(key)) {
    const socket = createSocket({ type: v6 ? 'udp6' : 'udp4', ipv6Only: v6 });
    const known = { socket, told: () => {} };
    socket.on('message', (message, from) => {
      const question = message.toString() === 'who am I?';
      if (question) socket.send(`${from.address} ${from.port}`, from.port, from.address);
      else known.told(message.toString());
    });
    const bound = new Promise((resolve, reject) => {
      socket.on('error', (error) => {
        known.told(null);
        reject(error);
      });
      socket.bind({ port, address, exclusive: false }, () => resolve(known));
    });
    sockets.set(key, bound);
  }
  return sockets.get(key);
}

function listenTcp(port, address) {
  const server = createServer((socket) => {
    socket.on('error', () => {}).on('end', () => socket.end());
    socket.write(`${socket.remoteAddress} ${socket.remotePort}\n`);
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject).listen({ port, host: address }, resolve);
  });
}

async function askUdp({ from, to, port, wait }) {
  const known = await udp(from, { v6: isIPv6(to) });
  const answer = new Promise((resolve) => {
    known.told = resolve;
  });
  known.socket.send('who am I?', port, to);
  return within(answer, wait);
}

function askTcp({ from, to, port, wait }) {
  const socket = createConnection({ host: to, port, localPort: from, family: isIPv6(to) ? 6 : 4 });
  const answer = new Promise((resolve) => {
    socket.on('error', (error) => resolve(error.code === 'ECONNREFUSED' ? 'refused' : error.code));
    socket.on('data', (bytes) => resolve(bytes.toString().trim()));
  });
  return within(answer, wait).then((said) => {
    // Open ones stay, as a NAT's mapping does with them.
    if (said === null) socket.destroy();
    return said;
  });
}

function punch({ from, to, port, wait }) {
  const socket = createConnection({ host: to, port, localPort: from });
  const connected = new Promise((resolve) => {
    socket.on('error', () => resolve(null)).on('connect', () => resolve(true));
  });
  return within(connected, wait).finally(() => socket.destroy());
}

const commands = {
  listen: ({ protocol, address, port }) =>
    protocol === 'udp'
      ? udp(port, { address, v6: isIPv6(address) }).then(() => true)
      : listenTcp(port, address).then(() => true),
  ask: (command) => (command.protocol === 'udp' ? askUdp(command) : askTcp(command)),
  punch,
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const answer = await commands[command.do](command).catch((error) => ({ error: error.message }));
  console.log(JSON.stringify(answer));
}
process.exit(0);
