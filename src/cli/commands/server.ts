/** `beeline server`: runs until it is told to stop. */
import type { ServerOptions } from '../../server/index.ts';
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { JsonOutput } from '../json.ts';
import type { Log } from '../log.ts';
import { type ServerArgs, serverArgs } from '../options.ts';
import { Screen } from '../screen.ts';
import { readTurnSecret } from '../turn-secret.ts';

/** Resolves to the exit code: 0 after a signal, for that is how a server ends. @throws BeelineError */
export async function serverCommand(argv: readonly string[], host: Host): Promise<number> {
  const args = serverArgs(argv, host.env);
  const { face } = args;
  const screen = new Screen(host.stderr, host.env);
  // To a server that has a certificate SIGHUP says, as to other servers, that it was renewed.
  const interrupt = args.tls ? new Interrupt(['SIGINT', 'SIGTERM']) : new Interrupt();
  let log: Log | undefined;
  let hangup: (() => void) | undefined;
  try {
    if (face.logLevel !== undefined || face.logFile !== undefined) {
      const { openLog } = await import('../log.ts');
      log = await openLog(face, (lines) => screen.raw(lines));
    }
    const { startServer } = await host.server();
    const warn = (sentence: string) => {
      if (!face.quiet) screen.line(sentence);
    };
    const server = await startServer(await serverOptions(args, log, warn));
    if (args.tls) hangup = onHangup(() => void server.reload?.());
    const listening = {
      event: 'listening',
      url: server.url,
      port: server.port,
      relay: args.relay,
      stun: server.stunPorts ?? [],
    };
    if (face.json) new JsonOutput(host.stdout).write(listening);
    else if (!face.quiet) screen.line(`Listening at ${server.url}. Ctrl-C stops.`);
    await aborted(interrupt.signal);
    // The interrupt's own deadline ends the process should a connection refuse to close.
    await server.close();
    return EXIT_DONE;
  } finally {
    hangup?.();
    log?.close();
    interrupt.close();
  }
}

function onHangup(act: () => void): () => void {
  process.on('SIGHUP', act);
  return () => process.off('SIGHUP', act);
}

async function serverOptions(
  args: ServerArgs,
  log: Log | undefined,
  warn: (sentence: string) => void,
): Promise<Omit<ServerOptions, 'log'> & { log: Log['logger'] | undefined }> {
  const { port, host, trustProxy, tls, allowOrigins, relay, relayLimit, relayRate, stun, stunPort, turn } =
    args;
  return {
    port,
    host,
    trustProxy,
    tls,
    allowOrigins,
    relay,
    stun,
    stunPort,
    turn: turn && { urls: turn.urls, secret: turn.secret ?? (await readTurnSecret(turn.secretFile!)) },
    limits: {
      ...(relayLimit !== undefined && { relayMailboxBytes: relayLimit }),
      ...(relayRate !== undefined && { relayRate }),
    },
    log: log?.logger,
    warn,
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
