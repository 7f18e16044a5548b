/** Every kind of pipe but WebRTC's keeps the same contract, at whichever of its ends the writer is. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, describe } from 'node:test';
import type { SecureContext } from 'node:tls';
import { WebSocket as WsWebSocket } from 'ws';
import { CREDIT_WINDOW } from '../../src/base/credit.ts';
import { relayListener, relayPath } from '../../src/browser/relay.ts';
import type { WebSocketMaker } from '../../src/browser/relay-link.ts';
import { type Certificate, makeCertificate } from '../../src/identity/certificate.ts';
import type { Pipe } from '../../src/secure/pipe.ts';
import { laneContext, tlsClient, tlsServer } from '../../src/secure/tls.ts';
import { startServer } from '../../src/server/index.ts';
import { QUIC_WINDOW } from '../../src/transports/quic/engine.ts';
import {
  nodeRelayListener,
  nodeRelayPath,
  type SealedPeer,
} from '../../src/transports/relay/node-transport.ts';
import { dial } from '../../src/transports/tcp/dial.ts';
import { listen } from '../../src/transports/tcp/listen.ts';
import { allocate } from '../../src/transports/turn/allocation.ts';
import { memoryPipes } from '../lanes/memory-pipe.ts';
import { forever, lane as sealedLane } from '../secure/sealed-ends.ts';
import { RelayWorld } from '../server/relay-world.ts';
import { type Contract, contract, type Ends, MiB } from './pipe-contract.ts';
import { quicMissing, quicSides } from './quic-ends.ts';
import { FakeTurn, LOGIN } from './turn-fake.ts';
import { closeAll, connected, type Side as UdxSide, lane as udxLane } from './udx-ends.ts';

const TURN = { kind: 'turn', relayed: true };

/** As node:stream refuses. */
const STREAM = { refusal: 'ERR_STREAM_DESTROYED' };
/** Twice what Linux lets the sockets of one connection grow to by themselves, for those between. */
const KERNEL = { least: 0, most: 2 * (grown('rmem') + grown('wmem')) };

/** Bytes; the usual ones where the kernel does not say. */
function grown(which: 'rmem' | 'wmem'): number {
  const path = `/proc/sys/net/ipv4/tcp_${which}`;
  return existsSync(path) ? Number(readFileSync(path, 'utf8').trim().split(/\s+/)[2]) : 8 * MiB;
}
const TLS = { ...STREAM, ...KERNEL, runs: 10 };
/**
 * laneContext asks for no tickets, but with TLS 1.3 two come nevertheless. A socket that is closed before it has read them is
 * reset, and the kernel drops what the other side has not read.
 */
const RESET = 'a dialler that closes before it has read the session tickets resets the connection';
const TCP = { loses: { destroyed: RESET, paused: RESET } };
/** tls.ts destroys the TLS socket as soon as the stream below has closed, whatever a reader who paused has still to read. */
const CLOSED = 'a stream that closes takes what TLS holds for a paused reader with it';
/** SealedPipe lets go of records that it has not opened yet, the end among them, when it cannot write its grant any more. */
const GRANT = 'a grant that cannot be written to a peer that has ended loses what it wrote last';
/** The window counts what sealing costs, and is used in steps. */
const SEALED = {
  least: CREDIT_WINDOW - 2 * MiB,
  most: CREDIT_WINDOW,
  runs: 10,
  loses: { destroyed: GRANT },
};

let ours: Certificate & { context: SecureContext };
let theirs: typeof ours;
before(async () => {
  const make = async () => {
    const certificate = await makeCertificate();
    return { ...certificate, context: laneContext(certificate.cert, certificate.key) };
  };
  [ours, theirs] = await Promise.all([make(), make()]);
});

/** @param dialled what is different where the dialler writes */
function kind(ends: Ends, given: Contract, dialled: Partial<Contract> = {}): void {
  describe('written to by the dialler', () => contract(ends, { ...given, ...dialled }));
  describe('written to by the listener', () =>
    contract(async () => {
      const [dialled, arrived] = await ends();
      return [arrived, dialled];
    }, given));
}

/** The other end of what is dialled, one at a time. */
class Arrivals {
  #pipe: Pipe | undefined;
  #wake = () => {};

  readonly add = (pipe: Pipe): void => {
    this.#pipe = pipe;
    this.#wake();
  };

  /** Within a test's own time. */
  async with(dialling: Promise<Pipe>): Promise<[Pipe, Pipe]> {
    const dialled = await dialling;
    if (!this.#pipe)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const arrived = this.#pipe!;
    this.#pipe = undefined;
    return [dialled, arrived];
  }
}

describe('TLS over TCP', () => {
  const arrivals = new Arrivals();
  let listener: Awaited<ReturnType<typeof listen>>;
  before(async () => {
    listener = await listen({ context: ours.context, host: '127.0.0.1', onPipe: arrivals.add });
  });
  after(() => listener.close());
  const ends = () =>
    arrivals.with(
      dial({ host: '127.0.0.1', port: listener.port }, theirs.context, ours.fingerprint, forever),
    );
  kind(ends, TLS, TCP);
});

describe('TLS over a stream that was opened before, as a punched one', () => {
  const server = createServer();
  const sockets: Socket[] = [];
  before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const ends: Ends = async () => {
    const coming = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const near = connect((server.address() as { port: number }).port, '127.0.0.1');
    const far = await coming;
    sockets.push(near, far);
    const over = { kind: 'punched', local: 'near', remote: 'far', signal: forever } as const;
    const [dialled, { pipe }] = await Promise.all([
      tlsClient(near, { ...over, context: theirs.context }, ours.fingerprint),
      tlsServer(far, { ...over, context: ours.context }),
    ]);
    return [dialled, pipe];
  };
  kind(ends, TLS, TCP);
});

describe('TLS over UDX', () => {
  let sides: { sender: UdxSide; receiver: UdxSide };
  before(async () => {
    sides = await connected();
  });
  after(closeAll);
  const ends: Ends = async () => {
    const [arrived, dialled] = await udxLane(sides.sender, sides.receiver);
    return [dialled, arrived];
  };
  kind(ends, {
    ...STREAM,
    runs: 10,
    least: CREDIT_WINDOW - 2 * MiB,
    most: CREDIT_WINDOW + 2 * MiB,
    loses: { paused: CLOSED },
  });
});

describe('QUIC', { skip: quicMissing }, () => {
  const arrivals = new Arrivals();
  let sides: Awaited<ReturnType<typeof quicSides>>;
  before(async () => {
    sides = await quicSides({ onPipe: arrivals.add });
  });
  after(() => sides.close());
  kind(() => arrivals.with(sides.dial()), {
    runs: 10,
    least: QUIC_WINDOW - 2 * MiB,
    most: QUIC_WINDOW + MiB,
  });
});

describe('TLS by a TURN server', () => {
  const arrivals = new Arrivals();
  let fake: FakeTurn;
  let allocation: Awaited<ReturnType<typeof allocate>>;
  before(async () => {
    fake = await FakeTurn.start();
    allocation = await allocate({
      rendezvous: '127.0.0.1',
      server: { urls: [fake.url], ...LOGIN },
      context: ours.context,
      onPipe: arrivals.add,
      onLost: (error) => console.error(error),
      signal: forever,
    });
    await allocation.permit(['127.0.0.1']);
  });
  after(async () => {
    await allocation.close();
    await fake.stop();
  });
  const ends = () => arrivals.with(dial(allocation.relayed, theirs.context, ours.fingerprint, forever, TURN));
  kind(ends, TLS, TCP);
});

describe("the server's relay", () => {
  let world: RelayWorld;
  let places = 0;
  before(async () => {
    world = new RelayWorld(await startServer({ port: 0, host: '127.0.0.1', stun: false }));
  });
  after(() => world.close());

  /** A sender who listens and a receiver who dials; as pages, or as programs that use TLS or seal. */
  function met(how: 'tls' | 'sealed' | 'page'): Ends {
    const arrivals = new Arrivals();
    const made = {
      listener: { close: () => {} },
      path: undefined as ReturnType<typeof relayPath> | undefined,
    };
    before(async () => {
      const { url } = world.server;
      const nameplate = String(++places);
      const host = await world.seat('host', nameplate);
      const guest = await world.seat('join', nameplate);
      const halves = [randomBytes(32), randomBytes(32)] as const;
      const secrets = {
        host: { own: halves[0], peer: halves[1], role: 'sender' },
        guest: { own: halves[1], peer: halves[0], role: 'receiver' },
      } as const;
      const here = { url, server: url, seat: () => ({ token: host.token, guest: 1 }), onPipe: arrivals.add };
      const there = { url, server: url, seat: () => ({ token: guest.token }) };
      if (how === 'page') {
        const WebSocket = WsWebSocket as unknown as WebSocketMaker;
        made.listener = relayListener({ ...here, WebSocket, secret: () => secrets.host });
        made.path = relayPath({ ...there, WebSocket, secret: () => secrets.guest });
        return;
      }
      const sealed = (end: 'host' | 'guest') => (): SealedPeer | undefined =>
        how === 'sealed' ? { secret: secrets[end], fingerprint: 'f'.repeat(64) } : undefined;
      made.listener = nodeRelayListener({ ...here, context: ours.context, sealed: sealed('host') });
      made.path = nodeRelayPath({
        ...{ ...there, context: theirs.context, pin: () => ours.fingerprint },
        sealed: sealed('guest'),
      });
    });
    after(() => {
      made.path?.close();
      made.listener.close();
    });
    return () => arrivals.with(made.path!.open(forever));
  }

  describe('with TLS', () => kind(met('tls'), { ...TLS, most: 2 * TLS.most, loses: { paused: CLOSED } }));
  describe('sealed', () => kind(met('sealed'), SEALED));
  describe('sealed by pages', () => kind(met('page'), SEALED));
});

describe('a sealed pipe over a wire in memory', () => {
  const ends: Ends = async () => {
    const { client, server } = await sealedLane();
    return [client, server];
  };
  kind(ends, { ...SEALED, runs: 60 });
});

// The lanes' own tests use it to lose what is under way, and never give it more than they read.
describe('a pipe in memory', () =>
  contract(async () => memoryPipes(), { runs: 60, least: 0, most: Infinity, cuts: true }));
