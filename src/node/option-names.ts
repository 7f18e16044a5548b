/**
 * The names of all options that a program gives, so that one that is mistyped is an error and does not go unnoticed. Types say the same
 * to who writes TypeScript; test/node/option-names.test.ts does not compile where these tables differ from them.
 */
import { checkOptionNames } from '../base/option-names.ts';

const TRANSFER = {
  ...{ lanes: true, relay: true, limit: true, wait: true },
  ...{ sha256: true, list: true, signal: true, log: true },
};
const COMMON = {
  ...TRANSFER,
  ...{ server: true, at: true, code: true, psk: true, configDir: true, port: true, threads: true, lan: true },
  ...{ dht: true, portMap: true, quic: true, transports: true, receipt: true },
};
const WEB_PORT = {
  ...{ port: true, host: true, tls: true, trustProxy: true, log: true, warn: true },
};
const TARGET = { to: true, within: true, into: true, stdout: true, store: true, overwrite: true };

const SEND = {
  ...COMMON,
  ...{
    receivers: true,
    until: true,
    swarm: true,
    device: true,
    trust: true,
    onUnreadable: true,
    links: true,
  },
  ...{ exclude: true, include: true, gitignore: true, update: true, web: true, http: true, zip: true },
  ...{ stdinName: true, stdin: true },
};
const RECEIVE = {
  ...COMMON,
  ...TARGET,
  ...{ device: true, trust: true, share: true, links: true, onConflict: true, accept: true },
};
const { relay: _relay, ...OF_DOWNLOADS } = TRANSFER;
const DOWNLOAD = {
  ...OF_DOWNLOADS,
  ...TARGET,
  ...{ onConflict: true, receipt: true, configDir: true, allowPrivate: true },
};
const { at: _at, code: _code, psk: _psk, port: _port, wait: _wait, ...OF_INBOXES } = COMMON;
const LISTEN = {
  ...OF_INBOXES,
  ...{ links: true, share: true, within: true, to: true, overwrite: true, once: true, outbox: true },
  ...{ deliverWith: true, http: true, ask: true },
};
const { log: _log, warn: _warn, ...OF_UPLOADS } = WEB_PORT;
const UPLOADS = {
  ...OF_UPLOADS,
  ...{ access: true, newLink: true, hostNames: true, maxSize: true, quota: true },
};
const SERVE = {
  ...WEB_PORT,
  ...{ access: true, keepLink: true, hostNames: true, hidden: true, expires: true, downloads: true },
  ...{ limit: true, configDir: true, signal: true, onDownload: true },
};
const DIAGNOSE = {
  ...{ server: true, portMap: true, dht: true, only: true, onCheck: true, signal: true },
};
const DELIVER = {
  ...{ folder: true, untilEmpty: true, patient: true, only: true, signal: true, log: true },
};
const VERIFY = {
  ...{ onProblem: true, onNote: true, onProgress: true, signal: true, concurrency: true },
};
const STOPPABLE = { signal: true };
const ITEM = { name: true, data: true, size: true, modified: true };
const REMOTE = { url: true, mirrors: true, sha256: true, name: true };

export const NAMES = {
  ...{ send: SEND, receive: RECEIVE, download: DOWNLOAD, listen: LISTEN, serve: SERVE, diagnose: DIAGNOSE },
  ...{ deliver: DELIVER, verify: VERIFY, unfinished: STOPPABLE, discard: STOPPABLE },
  ...{ 'listen.http': UPLOADS, 'send.items': ITEM, 'download.what': REMOTE },
};

/** @throws BeelineError USAGE with the nearest name that there is */
export function checkNames(of: keyof typeof NAMES, options: object | undefined): void {
  checkOptionNames(of, Object.keys(NAMES[of]), options);
}
