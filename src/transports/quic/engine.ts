/**
 * QUIC by quinn, as the native part of `@chainsafe/libp2p-quic` has it: an optional package for each platform, loaded when a session
 * uses this transport. A side proves an Ed25519 key in the TLS 1.3 handshake, in libp2p's form: its certificate carries the key, and the
 * key's signature of it. The engine checks that of both sides, and leaves whose key it must be to its user.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { fromHex, toHex } from '../../base/bytes.ts';

/** What is used of the package, which brings no types. */
export interface NativeQuic {
  QuinnConfig: new (config: Record<string, number | Uint8Array>) => NativeConfig;
  Server: new (config: NativeConfig, host: string, port: number) => NativeServer;
  Client: new (config: NativeConfig, family: number) => NativeClient;
}
type NativeConfig = object;

export interface NativeServer {
  port(): number;
  /** The next connection whose handshake is done. Rejects for one that fails, and once the server has ended. */
  inboundConnection(): Promise<NativeConnection>;
  /** Ends it with all its connections. */
  abort(): Promise<void>;
}

export interface NativeClient {
  outboundConnection(host: string, port: number): Promise<NativeConnection>;
  abort(): void;
}

export interface NativeConnection {
  /** `/ip4/HOST/udp/PORT/quic-v1/p2p/ID`: the ID is of the key that the other side has proved. */
  remoteMultiaddr(): string;
  /** Resolves with a stream once the other side has sent on it. */
  inboundStream(): Promise<NativeStream>;
  outboundStream(): Promise<NativeStream>;
  abort(): void;
}

export interface NativeStream {
  /** Null: the other side has ended its direction. The bytes are the caller's. */
  read(most: number): Promise<Uint8Array | null>;
  /** Resolves when the bytes may be reused. */
  write(bytes: Uint8Array): Promise<void>;
  finishWrite(): Promise<void>;
}

/** `SocketFamily` of the package. */
const FAMILY = { ipv4: 0, ipv6: 1 };

/** Milliseconds without a packet after which a connection is over, also one whose handshake is under way; and between two that show life. */
export const IDLE_MS = 5_000;
const KEEP_ALIVE_MS = 1_000;
/** Within which the other sides' answers to the end of a port are waited for. */
const SHUTDOWN_MS = 500;
/** Bytes that the other side may send before they are read: what a paused pipe buffers, and what one lane has under way at most. */
export const QUIC_WINDOW = 8 * 1024 * 1024;
/** Of a socket that dials. */
const SOCKET_BUFFER = 4 * 1024 * 1024;

/** Hex digits of the public key that the other side knows this one by. */
export interface Engine {
  readonly key: string;
  /** @param port 0: any. Throws if it is taken. */
  listen(host: string, port: number): NativeServer;
  dial(family: 'ipv4' | 'ipv6'): NativeClient;
}

/** With a key of its own. Undefined where the package is missing, or its native part cannot be loaded. */
export function openEngine(load: () => NativeQuic | undefined = loadNative): Engine | undefined {
  const native = load();
  if (!native) return undefined;
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const [secret, key] = [d, x].map((part) => Buffer.from(part, 'base64url')) as [Buffer, Buffer];
  const config = new native.QuinnConfig({
    // Protocol buffers: field 1, the type, is Ed25519; field 2 has 64 bytes.
    privateKeyProto: Uint8Array.from([0x08, 0x01, 0x12, 0x40, ...secret, ...key]),
    handshakeTimeout: IDLE_MS,
    shutdownTimeout: SHUTDOWN_MS,
    maxIdleTimeout: IDLE_MS,
    keepAliveInterval: KEEP_ALIVE_MS,
    maxConcurrentStreamLimit: 1,
    maxStreamData: QUIC_WINDOW,
    maxConnectionData: QUIC_WINDOW,
    receiveBufferSize: SOCKET_BUFFER,
    sendBufferSize: SOCKET_BUFFER,
  });
  return {
    key: toHex(key),
    listen: (host, port) => new native.Server(config, host, port),
    dial: (family) => new native.Client(config, FAMILY[family]),
  };
}

/** The package of this platform; on Linux, of the first C library that it is there for. */
export const PACKAGES = (() => {
  const { platform, arch } = process;
  const libraries = platform === 'linux' ? ['-gnu', '-musl'] : platform === 'win32' ? ['-msvc'] : [''];
  return libraries.map((library) => `@chainsafe/libp2p-quic-${platform}-${arch}${library}`);
})();

function loadNative(): NativeQuic | undefined {
  const require = createRequire(import.meta.url);
  for (const name of PACKAGES)
    try {
      return require(name) as NativeQuic;
    } catch {
      // Not there, or not for this system.
    }
  return undefined;
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
/** What libp2p puts before an Ed25519 key to make an ID of it: the "identity" hash, its length, and the key's own header. */
const ID_HEADER = '002408011220';

/** How the engine names the holder of a key. @param key hex digits */
export function idOf(key: string): string {
  const bytes = fromHex(ID_HEADER + key);
  let digits = '';
  for (let rest = BigInt(`0x${toHex(bytes)}`); rest > 0n; rest /= 58n)
    digits = BASE58[Number(rest % 58n)]! + digits;
  // The one zero byte at its beginning.
  return `1${digits}`;
}

/** Whose connection it is, and from where it comes. */
export function endOf(connection: NativeConnection): { id: string; host: string; port: number } {
  const [, , host = '', , port = '', , , id = ''] = connection.remoteMultiaddr().split('/');
  return { id, host, port: Number(port) };
}
