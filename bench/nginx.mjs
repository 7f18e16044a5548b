/** nginx as a rival or as a server for clients, and servers that are waited for until they listen. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { delay, freePort, start } from './processes.mjs';

const READY_MS = 15_000;

/**
 * nginx with one worker and sendfile, with its files below `root`; `name` tells several apart.
 * @param more directives of the server
 * @returns its URL without a path, and the process that does the work
 */
export async function startNginx(root, { name = 'nginx', more = '' } = {}) {
  const port = await freePort();
  const conf = join(root, `${name}.conf`);
  writeFileSync(
    conf,
    `daemon off; worker_processes 1; ${asRoot()} pid ${root}/${name}.pid; error_log ${root}/${name}.log;
events { worker_connections 64; }
http { access_log off; sendfile on; tcp_nopush on; ${temporary(root, name)}
server { listen 127.0.0.1:${port}; root ${root}; ${more} } }\n`,
  );
  const running = await startServer(['nginx', '-p', root, '-c', conf], port);
  const [worker] = childrenOf(running.pid);
  return { ...running, pid: worker ?? running.pid };
}

/** Starts a server, and resolves once it listens on loopback. */
export async function startServer([command, ...args], port) {
  const child = start(command, args);
  const late = performance.now() + READY_MS;
  while (!(await listens(port))) {
    if (performance.now() > late) throw new Error(`${command} does not listen.`);
    await delay(50);
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid, end: () => child.kill('SIGTERM') };
}

export function childrenOf(pid) {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number);
}

function temporary(root, name) {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${root}/${name}-${kind};`)
    .join(' ');
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Started by root, nginx would read as a user who may not enter the folder. */
function asRoot() {
  return process.getuid() === 0 ? 'user root;' : '';
}
