/**
 * One side of a transfer over one transport alone, by the library: `transport-end.mjs KIND send FILE --port N` or `KIND receive --at HOST:PORT
 * --to DIR`, with the command's JSON lines. The code is in the environment, as for the command.
 */
import { parseArgs } from 'node:util';
import { receive, send } from '../dist/index.js';
import { QUIC_TRANSPORTS } from '../dist/transports/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string' },
    at: { type: 'string' },
    to: { type: 'string' },
    lanes: { type: 'string' },
    ...Object.fromEntries(['yes', 'no-lan', 'json'].map((name) => [name, { type: 'boolean' }])),
  },
});
const [kinds, role, file] = positionals;
const transports = QUIC_TRANSPORTS.filter(({ kind }) => kinds.split('+').includes(kind));
const common = { lan: false, transports, ...(values.lanes && { lanes: Number(values.lanes) }) };
const transfer =
  role === 'send'
    ? send([file], { ...common, port: Number(values.port) })
    : receive({
        ...{ ...common, at: values.at, to: values.to },
        ...{ code: process.env.BEELINE_CODE, accept: () => true },
      });
transfer.subscribe((event) => console.log(JSON.stringify(event)));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
await transfer.done;
