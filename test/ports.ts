/** Ports for tests that must know one before anything listens there. */
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/**
 * Below 32768, where Linux begins to hand out ports by itself: what asks for "any port" meanwhile, in this process or
 * another, never gets one of these. IANA's own range ends at 49151, so other numbers than these are not freer.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 31_998;
const ATTEMPTS = 100;
/** Given out in this process, and not listened at yet perhaps. */
const given = new Set<number>();

/** A TCP port that is free, as is the next one (STUN's at `beeline server`), on IPv4 and IPv6. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if ([port - 1, port, port + 1].some((near) => given.has(near))) continue;
    given.add(port);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error(`No two free ports next to each other in ${ATTEMPTS} attempts.`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .on('error', () => resolve(false))
      .listen(port, () => server.close(() => resolve(true)));
  });
}

/** Whether something accepts connections at a port of this machine. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
