/** What is used of hyperdht, which brings no types. */
declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events';

  export interface DhtKeyPair {
    publicKey: Buffer;
    secretKey: Buffer;
  }

  interface DhtAddress {
    host: string;
    port: number;
  }

  /** A streamx Duplex, encrypted by Noise between the holders of two key pairs. */
  export interface DhtStream extends EventEmitter {
    readonly remotePublicKey: Buffer;
    /** Resolves to whether it has opened. */
    readonly opened: Promise<boolean>;
    readonly destroying: boolean;
    readonly rawStream: (EventEmitter & { readonly remoteHost: string }) | null;
    /** Nothing heard for so long ends it. */
    setTimeout(ms: number): void;
    write(bytes: Uint8Array): boolean;
    end(): void;
    destroy(error?: Error): void;
  }

  /** A query is a stream of answers. */
  interface DhtQuery<T> extends AsyncIterable<T> {
    finished(): Promise<void>;
    destroy(): void;
  }

  interface DhtServer extends EventEmitter {
    readonly relayAddresses: readonly DhtAddress[];
    listen(keyPair: DhtKeyPair): Promise<DhtServer>;
  }

  export interface DhtPeers {
    peers: readonly { publicKey: Buffer; relayAddresses: readonly DhtAddress[] }[];
  }

  export default class HyperDHT extends EventEmitter {
    static readonly BOOTSTRAP: readonly string[];
    static keyPair(seed?: Uint8Array): DhtKeyPair;
    constructor(options: {
      ephemeral: boolean;
      bootstrap: readonly string[];
      /** Milliseconds at least between two rows of guessed ports. */
      randomPunchInterval: number;
    });
    /** Resolves when nodes have been asked, and whether this one can be reached from outside is known. */
    fullyBootstrapped(): Promise<void>;
    /** Nodes that were heard of last. */
    toArray(options?: { limit: number }): DhtAddress[];
    connect(
      key: Buffer,
      options: {
        keyPair: DhtKeyPair;
        relayAddresses: readonly DhtAddress[];
        /** False: the other side is not told of this machine's own addresses. */
        localConnection: boolean;
      },
    ): DhtStream;
    createServer(
      options: {
        shareLocalAddress: boolean;
        /** Whether to turn this one away. */
        firewall: (key: Buffer, payload: unknown, from: DhtAddress) => boolean;
      },
      taken: (stream: DhtStream) => void,
    ): DhtServer;
    lookup(topic: Uint8Array): DhtQuery<DhtPeers>;
    announce(
      topic: Uint8Array,
      keyPair: DhtKeyPair,
      relayAddresses: readonly DhtAddress[],
    ): DhtQuery<DhtPeers>;
    destroy(options: { force: boolean }): Promise<void>;
  }
}
