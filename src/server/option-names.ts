/**
 * The names of all options of a server, so that one that is mistyped is an error: a limit that is not heard is none.
 * test/server/option-names.test.ts does not compile where these tables differ from the types.
 */
const BOTH = {
  ...{ limits: true, log: true, trustProxy: true, near: true, tick: true, relay: true, page: true },
  ...{ allowOrigins: true },
};

export const RENDEZVOUS = {
  ...BOTH,
  ...{ stun: true, turn: true, hosts: true, store: true, tally: true, answers: true },
};
export const SERVER = {
  ...BOTH,
  ...{ signal: true, port: true, host: true, stun: true, stunPort: true, redis: true, publicUrl: true },
  ...{ turn: true, tls: true, metrics: true, status: true, warn: true },
};
