/** `beeline server`: runs until it is told to stop. */
import { once } from 'node:events';
import { parseHostPort } from '../../node/addresses.ts';
import type { RunningServer, ServerOptions } from '../../server/index.ts';
import { parse } from '../args.ts';
import { EXIT_DONE } from '../exit.ts';
import type { Host } from '../host.ts';
import { Interrupt } from '../interrupt.ts';
import { printer } from '../json.ts';
import { type Log, openLog } from '../log.ts';
import { type ServerArgs, serverArgs } from '../options.ts';
import { Screen } from '../screen.ts';
import { readRedisUrl, readTurnSecret } from '../secrets.ts';

/** Resolves to the exit code: 0 after a signal, for that is how a server ends. @throws BeelineError */
export async function serverCommand(argv: readonly string[], host: Host): Promise<number> {
  const args = await configured(argv, host);
  const { face, drain } = args;
  const screen = new Screen(host.stderr, host.env);
  const say = (sentence: string) => {
    if (!face.quiet) screen.line(sentence);
  };
  const { startServer, checkServer } = await host.server();
  if (args.check) {
    await checkServer(await optionsOf(args, say));
    if (!face.json) say('The configuration is right.');
    return EXIT_DONE;
  }
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];
  // With a certificate, SIGHUP means that it was renewed, as it does for other servers.
  if (!args.tls) signals.push('SIGHUP');
  const interrupt = new Interrupt(signals, undefined, drain * 1000);
  let log: Log | undefined;
  let server: RunningServer | undefined;
  const onHangup = () => void server?.reload();
  try {
    log = await openLog(face, (lines) => screen.raw(lines));
    server = await startServer({ ...(await optionsOf(args, say)), log: log?.logger });
    if (args.tls) process.on('SIGHUP', onHangup);
    const { url, port, stunPorts: stun } = server;
    const metrics = server.metricsUrl;
    const listening = { event: 'listening', url, port, relay: args.relay, stun, ...(metrics && { metrics }) };
    if (face.json) printer(host.stdout, true)(listening);
    else say(`Listening at ${url}. Ctrl-C stops.`);
    if (metrics !== undefined && !face.json) say(`Metrics: ${metrics}`);
    if (!interrupt.signal.aborted) await once(interrupt.signal, 'abort');
    const { relayPairs } = server.counts();
    if (relayPairs > 0 && drain > 0)
      say(`Relayed connections (${relayPairs}) may go on for ${drain} s. Another signal ends them at once.`);
    await server.drain(drain * 1000);
    // The interrupt's own deadline ends the process should a connection refuse to close.
    await server.close();
    return EXIT_DONE;
  } finally {
    process.off('SIGHUP', onHangup);
    log?.close();
    interrupt.close();
  }
}

/** Flags and file. @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE */
async function configured(argv: readonly string[], host: Host): Promise<ServerArgs> {
  const { config } = parse('server', argv).flags;
  if (config === undefined) return serverArgs(argv, host.env);
  const { readConfiguration } = await import('../configuration.ts');
  const { flags, locate } = await readConfiguration(config);
  try {
    return serverArgs(argv, host.env, flags);
  } catch (error) {
    throw locate(error);
  }
}

/** With what stands in files. @throws BeelineError USAGE, NO_SUCH_PATH, UNREADABLE */
async function optionsOf(args: ServerArgs, warn: (sentence: string) => void): Promise<ServerOptions> {
  const { turn, redis, relayLimit, relayRate, face: _face, check: _check, drain: _drain, ...rest } = args;
  const { metrics, ...options } = rest;
  return {
    ...options,
    metrics: metrics === undefined ? undefined : parseHostPort(metrics),
    turn: turn && { urls: turn.urls, secret: turn.secret ?? (await readTurnSecret(turn.secretFile!)) },
    redis: redis && (redis.url ?? (await readRedisUrl(redis.urlFile!))),
    limits: {
      ...(relayLimit !== undefined && { relayMailboxBytes: relayLimit }),
      ...(relayRate !== undefined && { relayRate }),
    },
    warn,
  };
}
