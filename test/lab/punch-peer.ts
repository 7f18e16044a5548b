/**
 * One side of a punched session, or its STUN server, run inside a machine of the lab: JSON commands on standard input,
 * one a line, JSON events on standard output. Ends when standard input does.
 *
 *   stun P1 P2                       serves STUN over TCP on both ports
 *   sender|receiver HOST P1 P2 K     punches from K ports; commands:
 *     {"do":"ports"}                 opens (new) ports         -> {"event":"ports","candidates","mapped","dependent"}
 *     {"do":"punch","peer":[...]}    one round                 -> receiver, each path: "lane" {name, ms} or "failed" {code, ms}, then "round"
 *     {"do":"echo","bytes":N}        receiver, on every lane   -> "echoed" {lanes, bytes}
 *     {"do":"close","reset":bool}    ends every lane           -> "closed"
 */
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { asBeelineError } from '../../src/base/errors.ts';
import { makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { startStun } from '../../src/server/stun.ts';
import { openPunchPorts, type PunchPorts } from '../../src/transports/punched/ports.ts';
import { PunchListener, punchPath } from '../../src/transports/punched/punch.ts';
import type { Address } from '../../src/wire/candidate.ts';

const [role, ...args] = process.argv.slice(2);
const say = (event: string, more: object = {}) => console.log(JSON.stringify({ event, ...more }));

if (role === 'stun') {
  const [first, second] = args.map(Number) as [number, number];
  const stun = await startStun({ ports: [first, second] });
  createServer((socket) => stun.accept(socket)).listen(first, () => say('stun'));
  process.stdin.resume().on('end', () => process.exit(0));
} else {
  const [host, p1, p2, count] = args as [string, string, string, string];
  const servers = [p1, p2].map((port) => ({ host, port: Number(port) }));
  const certificate = await makeCertificate();
  const context = laneContext(certificate.cert, certificate.key);
  const pipes = new Set<Pipe>();
  let life = new AbortController();
  let ports: PunchPorts | undefined;
  let listener: PunchListener | undefined;
  let pin = '';
  let echoed: ((bytes: number) => void) | undefined;

  const begin = async () => {
    life.abort();
    listener?.close();
    for (const pipe of pipes) pipe.destroy();
    life = new AbortController();
    ports = await openPunchPorts(servers, {
      count: Number(count),
      signal: life.signal,
      onChange: () => say('change'),
    });
    listener = new PunchListener({ ports, context, onPipe: (pipe) => add(pipe) });
    const { candidates, mapped, dependent } = ports;
    say('ports', { candidates, mapped, dependent, pin: certificate.fingerprint });
  };
  const add = (pipe: Pipe) => {
    pipes.add(pipe);
    const send = (bytes: Uint8Array) => pipe.write(Uint8Array.from(bytes), () => {});
    pipe.start(
      (bytes) => (role === 'sender' ? send(bytes) : echoed?.(bytes.length)),
      () => {
        pipes.delete(pipe);
        say('gone', { left: pipes.size });
      },
    );
  };
  const open = async (peer: Address[], tries: number) => {
    const paths = punchPath(ports!, peer, context, () => pin);
    const opened = paths.map(async (path) => {
      const began = performance.now();
      const ms = () => Math.round(10 * (performance.now() - began)) / 10;
      for (let left = tries; ; left--) {
        try {
          add(await path.open(life.signal));
          return say('lane', { name: path.name, ms: ms() });
        } catch (thrown) {
          const { code, message } = asBeelineError(thrown);
          if (left <= 1) return say('failed', { name: path.name, code, message, ms: ms() });
        }
      }
    });
    await Promise.all(opened);
    say('round', { paths: paths.length });
  };
  const echo = async (bytes: number) => {
    let left = bytes * pipes.size;
    const all = new Promise<void>((resolve) => {
      echoed = (length) => {
        left -= length;
        if (left === 0) resolve();
      };
    });
    for (const pipe of pipes) pipe.write(new Uint8Array(bytes), () => {});
    await all;
    say('echoed', { lanes: pipes.size, bytes });
  };

  await begin();
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      const command = JSON.parse(line);
      pin = command.pin ?? pin;
      if (command.do === 'ports') void begin();
      if (command.do === 'punch' && role === 'sender') listener?.attempt({ peer: command.peer });
      if (command.do === 'punch' && role === 'receiver') void open(command.peer, command.tries ?? 1);
      if (command.do === 'echo') void echo(command.bytes);
      if (command.do === 'close')
        for (const pipe of pipes) pipe.destroy(command.reset ? new Error('cut') : undefined);
    })
    .on('close', () => {
      life.abort();
      listener?.close();
      for (const pipe of pipes) pipe.destroy();
    });
}
