/** One end of a ping over UDP: `echo PORT` answers, `ask ADDRESS PORT` asks five times a second and prints the milliseconds of each answer. */
import { createSocket } from 'node:dgram';

/** Milliseconds. */
const EVERY = 200;

const [role, ...where] = process.argv.slice(2);
const socket = createSocket('udp4');
if (role === 'echo') {
  socket.on('message', (bytes, { address, port }) => socket.send(bytes, port, address));
  socket.bind(Number(where[0]), () => console.log('ready'));
} else {
  const [address, port] = where;
  socket.on('message', (bytes) => console.log((performance.now() - bytes.readDoubleLE()).toFixed(1)));
  setInterval(() => {
    const now = Buffer.alloc(56);
    now.writeDoubleLE(performance.now());
    socket.send(now, Number(port), address);
  }, EVERY);
}
