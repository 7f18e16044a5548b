/**
 * The rendezvous on an HTTP server that somebody else listens with: `beeline server`, which may relay too, or a sender
 * that hosts its own, which has no use for that.
 */
import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocketServer } from 'ws';
import { fault } from '../base/errors.ts';
import { escapingLog } from '../base/log-fields.ts';
import { checkOptionNames } from '../base/option-names.ts';
import { CLOSE, MAX_RELAY_MESSAGE } from '../wire/relay.ts';
import {
  FIRST_HEADER,
  FIRST_TAKEN,
  MAX_FIRST,
  MAX_RENDEZVOUS_TEXT,
  RELAY_PATH,
  RENDEZVOUS_PATH,
  type TurnServer,
} from '../wire/rendezvous.ts';
import { clientAddress, type NearWay, nearGroup } from './address.ts';
import { type LocalConnection, openLocal, type Stranger, sitDown } from './connections.ts';
import { Health, SHUTTING_DOWN } from './health.ts';
import { HTTP_DEADLINE, type Limits } from './limits.ts';
import { type ServerLog, SILENT, StrangersLog } from './log.ts';
import { Mailboxes, type Seat } from './mailboxes.ts';
import type { MeetingStore } from './meeting-store.ts';
import { RENDEZVOUS } from './option-names.ts';
import { isOfPage, originRefusal, parseOrigins } from './origin.ts';
import { answerHttp, type MadeAnswers, pathOf } from './page.ts';
import type { PageFiles } from './page-files.ts';
import { Relay } from './relay.ts';
import { ClientSocket, WEB_SOCKET_OPTIONS } from './socket.ts';
import { Tally } from './tally.ts';
import type { SeatConnection } from './tunnels.ts';

export interface RendezvousOptions {
  limits?: Partial<Limits>;
  log?: ServerLog;
  /** Believe the last entry of X-Forwarded-For. Only behind a proxy of one's own that sets it. */
  trustProxy?: boolean;
  /** Who may see each other as near, if their pages show themselves; default `auto`: those of one public address. */
  near?: NearWay;
  /** Milliseconds between rounds of pings and sweeps; default 10 s. */
  tick?: number;
  /** Carry lanes for those who meet here, at RELAY_PATH; default false. */
  relay?: boolean;
  /** The ports of this host that answer STUN; default none. */
  stun?: () => number[];
  /** Credentials for a TURN server, made afresh for everyone who sits down. */
  turn?: (user: string) => TurnServer;
  /** Who may host a meeting here; default: anyone. */
  hosts?: 'anyone' | 'this process';
  /** Serve the page for browsers: the one that was built with this (true), or of a folder; default false. */
  page?: boolean | string;
  /** Shared with other instances of this server. It is closed with the rendezvous. Default: this one is alone. */
  store?: MeetingStore;
  /** Origins (`https://HOST[:PORT]`) whose pages may meet here, beside this server's own. */
  allowOrigins?: readonly string[];
  /** Counts what happens. */
  tally?: Tally;
  /** What else is said at some paths of a server of its own. */
  answers?: MadeAnswers;
}

export interface Rendezvous {
  readonly mailboxes: Mailboxes;
  readonly relay?: Relay;
  /** Whether anybody new should be sent here. */
  readonly health: Health;
  /**
   * Takes the WebSockets at its own paths of somebody's server, until `close`. Requests, and WebSockets at other paths, are
   * left alone; but where nobody else listens for upgrades, who asks for one at another path is told so.
   * @param prefix before the paths, as clients have it in their URL: `/meet` for `--server https://HOST/meet`
   * @throws BeelineError USAGE for a prefix that is none
   */
  handle(server: Server | SecureServer, prefix?: string): void;
  /** Has a whole server for itself: the page, health, an answer to everything else, and time limits for strangers. */
  serve(server: Server | SecureServer): void;
  /**
   * Closes the meetings and takes nobody new, while what the relay carries goes on. Resolves when it carries nothing any more, or
   * after so many milliseconds.
   */
  drain(milliseconds: number): Promise<void>;
  /** A connection inside this process, for the sender that hosts its own rendezvous. */
  local(receive: (text: string) => void, closed: () => void): LocalConnection;
  /** A guest that came by another way than HTTP. @throws BeelineError SERVER if there is no room for it */
  admit(connection: SeatConnection): Pick<Seat, 'receive' | 'closed'>;
  /** Refuses everyone, closes every connection and forgets everything. The HTTP server stays its owner's. */
  close(): Promise<void>;
}

/** @throws BeelineError USAGE for an option that there is not, and for an origin that is none */
export function createRendezvous(options: RendezvousOptions = {}): Rendezvous {
  checkOptionNames('createRendezvous', Object.keys(RENDEZVOUS), options);
  return openRendezvous(options);
}

/** The same of who has looked at the names. @throws BeelineError USAGE for an origin that is none */
export function openRendezvous(options: RendezvousOptions): Rendezvous {
  const { limits, trustProxy = false, near = 'auto', tick = 10_000 } = options;
  const log = options.log ? escapingLog(options.log) : SILENT;
  const strangers = new StrangersLog(log);
  const origins = parseOrigins(options.allowOrigins);
  const { tally = new Tally() } = options;
  const turn = (user: string) => {
    if (!options.turn) return {};
    tally.turnCredentials++;
    return { turn: options.turn(user) };
  };
  const mailboxes = new Mailboxes({
    limits,
    tally,
    ...(options.store && { store: options.store }),
    hosts: options.hosts,
    services: (user) => ({ relay: options.relay ?? false, stun: options.stun?.() ?? [], ...turn(user) }),
  });
  const relay = options.relay ? new Relay(mailboxes, log) : undefined;
  const sockets = new Set<ClientSocket>();
  /** Each leaves a server of somebody else. */
  const letGo: (() => void)[] = [];
  let closed = false;
  let draining = false;
  const health = new Health();
  health.add(() => (draining || closed ? SHUTTING_DOWN : undefined));
  health.add(() =>
    mailboxes.store.reachable ? undefined : 'The Redis that this server shares is out of reach.',
  );

  const timer = setInterval(() => {
    mailboxes.sweep();
    for (const socket of sockets) socket.ping(tick, mailboxes.limits.pongDeadline);
    relay?.sweep(tick);
  }, tick);
  timer.unref();

  // Loaded when a server is there, not before: most of what a command imports is for other commands.
  let loading: Promise<Acceptors> | undefined;
  const webSockets = () => {
    loading ??= import('ws').then(({ WebSocketServer }) => {
      const meeting = new WebSocketServer({ ...WEB_SOCKET_OPTIONS, maxPayload: MAX_RENDEZVOUS_TEXT });
      const relaying = new WebSocketServer({ ...WEB_SOCKET_OPTIONS, maxPayload: MAX_RELAY_MESSAGE });
      meeting.on('headers', (headers, request) => {
        if (firstOf(request) !== undefined) headers.push(`${FIRST_HEADER}: ${FIRST_TAKEN}`);
      });
      return { meeting, relaying };
    });
    return loading;
  };

  let reading: Promise<PageFiles> | undefined;
  const page = () => {
    reading ??= readPage(options).catch((error: unknown) => {
      log.warn({ error: String(error) }, 'no page');
      return new Map();
    });
    return reading;
  };

  /** Which of ours is at a path. */
  const placeAt = (path: string): 'meeting' | 'relay' | undefined =>
    path === RENDEZVOUS_PATH ? 'meeting' : path === RELAY_PATH && relay ? 'relay' : undefined;

  const refuse = (socket: Duplex, status: number, sentence: string) => {
    tally.refusedUpgrade(status);
    decline(socket, status, sentence);
  };

  async function upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    place: 'meeting' | 'relay' | undefined,
  ): Promise<void> {
    const ignore = () => {};
    socket.on('error', ignore);
    if (closed || draining) return refuse(socket, 503, SHUTTING_DOWN);
    if (!place) return refuse(socket, 404, `The rendezvous is at ${RENDEZVOUS_PATH}.`);
    const toRelay = relay !== undefined && place === 'relay';
    const address = clientAddress(request, trustProxy);
    const foreign = originRefusal(request, origins);
    if (foreign) {
      strangers.warn(
        { address, origin: request.headers.origin, host: request.headers.host },
        'origin refused',
      );
      return refuse(socket, 403, foreign);
    }
    const refusal = toRelay ? relay.refusal(address) : mailboxes.refusal(address);
    if (refusal) {
      strangers.warn({ address, reason: refusal.message }, 'connection refused');
      return refuse(socket, 429, refusal.message);
    }
    const { meeting, relaying } = await webSockets();
    const acceptor = toRelay ? relaying : meeting;
    acceptor.handleUpgrade(request, socket, head, (webSocket) => {
      socket.off('error', ignore);
      if (closed || draining) webSocket.terminate();
      else if (toRelay) relay.accept(webSocket, address);
      else meet(new ClientSocket(webSocket), whoAsks(request, address), firstOf(request));
    });
  }

  const endMeetings = () => {
    mailboxes.close();
    for (const socket of sockets) socket.refuse('', CLOSE.goingAway);
  };

  const take = (...[request, socket, head, place]: Parameters<typeof upgrade>) => {
    upgrade(request, socket, head, place).catch((error: unknown) => {
      strangers.warn({ error: String(error) }, 'upgrade failed');
      socket.destroy();
    });
  };

  const whoAsks = (request: IncomingMessage, address: string): Stranger => ({
    ...{ address, ofPage: isOfPage(request) },
    near: nearGroup(request, address, trustProxy, near),
  });

  function meet(socket: ClientSocket, who: Stranger, first: string | undefined): void {
    const { address } = who;
    sitDown(mailboxes, socket, who, first);
    sockets.add(socket);
    log.debug({ address, ...mailboxes.counts }, 'connection opened');
    void socket.closed.then(() => {
      sockets.delete(socket);
      log.debug({ address, ...mailboxes.counts }, 'connection closed');
    });
  }

  return {
    mailboxes,
    relay,
    health,
    handle(server, prefix = '') {
      if (!PREFIX.test(prefix)) throw fault('PREFIX_MALFORMED', { prefix: JSON.stringify(prefix) });
      webSockets().catch(() => {});
      const listener = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        const path = pathOf(request);
        const place = path.startsWith(`${prefix}/`) ? placeAt(path.slice(prefix.length)) : undefined;
        if (place || server.listenerCount('upgrade') === 1) take(request, socket, head, place);
      };
      server.on('upgrade', listener);
      letGo.push(() => server.off('upgrade', listener));
    },
    serve(server) {
      server.headersTimeout = HTTP_DEADLINE;
      server.requestTimeout = HTTP_DEADLINE;
      server.keepAliveTimeout = HTTP_DEADLINE / 2;
      server.maxHeadersCount = 64;
      server.maxRequestsPerSocket = 100;
      // A failed load of ws is reported by the first upgrade that needs it.
      webSockets().catch(() => {});
      void page();
      server.on('request', answerHttp(page, new Map([...health.answers, ...(options.answers ?? [])])));
      server.on('upgrade', (request, socket, head) => take(request, socket, head, placeAt(pathOf(request))));
    },
    async drain(milliseconds) {
      if (closed || draining) return;
      draining = true;
      // Those who wait here come back elsewhere, or when this server is there again: the sooner the better.
      endMeetings();
      const idle = relay?.drain();
      if (!idle) return;
      log.info({ ...relay?.counts }, 'draining');
      const late = new AbortController();
      await Promise.race([idle, sleep(milliseconds, undefined, { signal: late.signal }).catch(() => {})]);
      late.abort();
    },
    local(receive, lost) {
      if (closed || draining) throw fault('RENDEZVOUS_CLOSED');
      return openLocal(mailboxes, receive, lost);
    },
    admit(connection) {
      if (closed) throw fault('RENDEZVOUS_CLOSED');
      return mailboxes.open(connection);
    },
    async close() {
      if (closed) return;
      closed = true;
      for (const leave of letGo.splice(0)) leave();
      clearInterval(timer);
      const relayed = relay?.close();
      endMeetings();
      await Promise.all([
        ...[relayed, mailboxes.store.close()],
        ...[...sockets].map((socket) => socket.closed),
      ]);
    },
  };
}

/** What a client says first, if it says so in its request. */
function firstOf({ headers }: IncomingMessage): string | undefined {
  const first = headers[FIRST_HEADER];
  return typeof first === 'string' && first.length <= MAX_FIRST ? first : undefined;
}

const PREFIX = /^(?:\/[\w.~-]+)*$/;

/** One for each path: they differ in how large a message may be. */
interface Acceptors {
  meeting: WebSocketServer;
  relaying: WebSocketServer;
}

async function readPage({ page = false, hosts = 'anyone' }: RendezvousOptions): Promise<PageFiles> {
  if (page === false) return new Map();
  const { builtPage, loadPage } = await import('./page-files.ts');
  return loadPage(page === true ? builtPage() : page, hosts === 'anyone' ? 'all' : 'receive');
}

/** Refuses an upgrade with a sentence that the client shows. */
function decline(socket: Duplex, status: number, sentence: string): void {
  const body = `${sentence}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // A client that never reads or closes is not waited for.
  setTimeout(() => socket.destroy(), 1000).unref();
}
