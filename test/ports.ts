/** Ports for tests that must know one before anything listens there. */
import { randomInt } from 'node:crypto';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Below 32768, where Linux begins to hand out ports by itself: what asks for "any port" meanwhile, in this process or
 * another, never gets one of these. IANA's own range ends at 49151, so other numbers than these are not freer.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 31_998;
const ATTEMPTS = 1000;
/** A file for each port that is given out, in this process or another, and not listened at yet perhaps. */
const CLAIMS = join(tmpdir(), `beeline-test-ports-${process.getuid?.() ?? ''}`);
/** Milliseconds after which a claim is of a process that was killed: no run lasts so long. */
const STALE_CLAIM = 2 * 3_600_000;
const claims = new Set<string>();
process.once('exit', () => {
  for (const claim of claims) rmSync(claim, { force: true });
});

/** A TCP port that is free, as is the next one (STUN's at `beeline server`), on IPv4 and IPv6. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    // Only even ones, so that two pairs never overlap.
    if (port % 2 === 0 && claim(port) && (await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error(
    `No two free ports next to each other in ${ATTEMPTS} attempts (claimed ones stand in ${CLAIMS}).`,
  );
}

function claim(port: number): boolean {
  const path = join(CLAIMS, String(port));
  mkdirSync(CLAIMS, { recursive: true });
  const since = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (since !== undefined && Date.now() - since > STALE_CLAIM) rmSync(path, { force: true });
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw thrown;
  }
  claims.add(path);
  return true;
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
