/**
 * A machine behind a router that maps ports: listens on TCP and UDP and answers what it hears, has both ports mapped,
 * and says so, one JSON event a line. Argument: a port to listen on; default any.
 * Ends when standard input does; "ended" says how long taking back took.
 */
import { createSocket } from 'node:dgram';
import { type AddressInfo, createServer } from 'node:net';
import { mapPorts } from '../../src/nat/mapping/map-ports.ts';

const say = (event: string, more: object = {}) => console.log(JSON.stringify({ event, ...more }));

const server = createServer((socket) => socket.pipe(socket));
const wanted = Number(process.argv[2] ?? 0);
await new Promise<void>((resolve) => server.listen(wanted, resolve));
const udp = createSocket('udp4');
await new Promise<void>((resolve) => udp.bind(wanted, resolve));
udp.on('message', (bytes, from) => udp.send(bytes, from.port, from.address));
const ports = { tcp: (server.address() as AddressInfo).port, udp: udp.address().port };
say('ports', ports);

const began = performance.now();
const life = new AbortController();
const mapper = mapPorts({
  ...ports,
  signal: life.signal,
  onMapped: (transport, address, protocol) =>
    say('mapped', { transport, address, protocol, ms: Math.round(performance.now() - began) }),
  log: { debug: (_, text) => say('log', { text }) },
});

process.stdin.resume().on('end', async () => {
  const ending = performance.now();
  await mapper.close();
  say('ended', { ms: Math.round(performance.now() - ending) });
  server.close();
  udp.close();
});
