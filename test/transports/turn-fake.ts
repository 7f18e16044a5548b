/** A TURN server with TCP allocations, small enough to lie: each request goes through `answer`, which a test may replace. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { errorCode, readXorAddress, xorAddress } from '../../src/nat/stun/attributes.ts';
import {
  ATTRIBUTE,
  attributeOf,
  decodeStun,
  encodeStun,
  hasIntegrity,
  longTermKey,
  METHOD,
  newTransaction,
  type StunAttribute,
  type StunMessage,
} from '../../src/nat/stun/message.ts';
import { readStun } from '../../src/transports/turn/control.ts';

export const LOGIN = { username: '2000000000:somebody', credential: 'pass' };
const REALM = 'fake';
const text = (value: string) => new TextEncoder().encode(value);

export interface Answer {
  error?: number;
  attributes?: StunAttribute[];
  /** Default: yes for successes, no for errors. */
  proven?: boolean;
  /** Written in one piece with the answer. */
  after?: Uint8Array;
}

export interface Request extends StunMessage {
  socket: Socket;
  /** What the server would do by itself. */
  usual: () => Answer;
}

export class FakeTurn {
  /** Undefined: no answer. */
  answer: (request: Request) => Answer | undefined = ({ usual }) => usual();
  nonce = 'first';
  /** Seconds. */
  lifetime = 600;
  /** In the order in which they came, authenticated ones only. */
  readonly seen: { method: number; peer?: string; lifetime?: number; nonce: string }[] = [];
  readonly controls: Socket[] = [];
  readonly data: Socket[] = [];
  #server!: Server;
  #relay!: Server;
  readonly #peers = new Map<string, Socket>();
  readonly #sockets = new Set<Socket>();
  readonly #key = longTermKey(LOGIN.username, REALM, LOGIN.credential);

  static async start(tls?: { cert: string; key: string }): Promise<FakeTurn> {
    const fake = new FakeTurn();
    const serve = (socket: Socket) => fake.#serve(socket);
    fake.#server = tls ? createTlsServer(tls, serve) : createServer(serve);
    fake.#relay = createServer({ pauseOnConnect: true }, (socket) => fake.#attempt(socket));
    for (const server of [fake.#server, fake.#relay]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    return fake;
  }

  get port(): number {
    return portOf(this.#server);
  }

  get url(): string {
    return `turn:127.0.0.1:${this.port}?transport=tcp`;
  }

  /** Requests of this method so far. */
  count(method: number): number {
    return this.seen.filter((each) => each.method === method).length;
  }

  /** Raw bytes to the owner of the allocation. */
  push(bytes: Uint8Array): void {
    this.controls.at(-1)!.write(bytes);
  }

  attempt(id: Uint8Array, peer = { host: '127.0.0.1', port: 9 }): void {
    const transaction = newTransaction();
    const attributes = [
      { type: ATTRIBUTE.connectionId, value: id },
      { type: ATTRIBUTE.xorPeerAddress, value: xorAddress(peer, transaction) },
    ];
    this.push(encodeStun({ class: 'indication', method: METHOD.connectionAttempt, transaction, attributes }));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of [this.#server, this.#relay]) {
      if (!server.listening) continue;
      server.close();
      await once(server, 'close');
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #attempt(socket: Socket): void {
    this.#keep(socket);
    const id = Buffer.alloc(4);
    id.writeUInt32BE(this.#peers.size + 1);
    this.#peers.set(id.toString('hex'), socket);
    this.attempt(id, { host: '127.0.0.1', port: socket.remotePort! });
  }

  #serve(socket: Socket): void {
    this.#keep(socket);
    const reader = readStun(
      socket,
      (bytes) => {
        const message = decodeStun(bytes)!;
        const answer = this.answer({ ...message, socket, usual: () => this.#usual(message, bytes, socket) });
        if (!answer) return;
        const { error, attributes = [], proven = !error, after = new Uint8Array() } = answer;
        const code = error ? [{ type: ATTRIBUTE.errorCode, value: errorCode(error, 'so be it') }] : [];
        const reply = encodeStun(
          { ...message, class: error ? 'error' : 'success', attributes: [...code, ...attributes] },
          proven ? { key: this.#key } : {},
        );
        socket.write(Buffer.concat([reply, after]));
        if (message.method !== METHOD.connectionBind || error) return;
        reader.stop();
        this.data.push(socket);
        const peer = this.#peers.get(
          Buffer.from(attributeOf(message, ATTRIBUTE.connectionId)!).toString('hex'),
        );
        if (!peer) return;
        peer.pipe(socket).pipe(peer);
        // A reset of one is the end of the other, which pipe() does not see to.
        peer.on('close', () => socket.destroySoon());
        socket.on('close', () => peer.destroySoon());
      },
      () => socket.destroy(),
    );
  }

  #usual(message: StunMessage, bytes: Uint8Array, socket: Socket): Answer {
    const { method, transaction } = message;
    if (!hasIntegrity(bytes, this.#key)) return this.challenge(401);
    const nonce = new TextDecoder().decode(attributeOf(message, ATTRIBUTE.nonce));
    if (nonce !== this.nonce) return this.challenge(438);
    const peer = readXorAddress(withPort(attributeOf(message, ATTRIBUTE.xorPeerAddress)), transaction)?.host;
    const asked = attributeOf(message, ATTRIBUTE.lifetime);
    const lifetime = asked && Buffer.from(asked).readUInt32BE();
    this.seen.push({ method, nonce, ...(peer && { peer }), ...(lifetime !== undefined && { lifetime }) });
    const granted = Buffer.alloc(4);
    granted.writeUInt32BE(lifetime ?? this.lifetime);
    const attributes: StunAttribute[] = [{ type: ATTRIBUTE.lifetime, value: granted }];
    if (method === METHOD.refresh) return { attributes };
    if (method !== METHOD.allocate) return {};
    if (attributeOf(message, ATTRIBUTE.requestedTransport)?.[0] !== 6) return { error: 442 };
    this.controls.push(socket);
    const relayed = { host: '127.0.0.1', port: portOf(this.#relay) };
    const mapped = { host: '192.0.2.1', port: socket.remotePort! };
    const relayedValue = xorAddress(relayed, transaction);
    attributes.push({ type: ATTRIBUTE.xorRelayedAddress, value: relayedValue });
    attributes.push({ type: ATTRIBUTE.xorMappedAddress, value: xorAddress(mapped, transaction) });
    return { attributes };
  }

  challenge(error: 401 | 438): Answer {
    const attributes = [
      { type: ATTRIBUTE.realm, value: text(REALM) },
      { type: ATTRIBUTE.nonce, value: text(this.nonce) },
    ];
    return { error, attributes };
  }
}

/** A self-signed certificate for `localhost`, as PEM. */
export async function turnCertificate(): Promise<{ cert: string; key: string }> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
  });
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

/** Addresses with port 0, as in permissions, are read as having another. */
function withPort(value: Uint8Array | undefined): Uint8Array | undefined {
  if (!value) return undefined;
  const changed = value.slice();
  changed[3]! ^= 1;
  return changed;
}
