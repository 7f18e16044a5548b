/** What is used of udx-native, which brings no types. */
declare module 'udx-native' {
  import type { EventEmitter } from 'node:events';

  interface UdxFrom {
    host: string;
    port: number;
    family: 4 | 6;
  }

  export interface UdxRawSocket extends EventEmitter {
    /** Without a host: `::` for both families, or `0.0.0.0` where there is no IPv6. Throws when the port is taken. */
    bind(port?: number, host?: string): void;
    address(): UdxFrom | null;
    /** Fire and forget; throws on what is no IP address. */
    trySend(buffer: Uint8Array, port: number, host: string): void;
    /** Waits for its streams to close. */
    close(): Promise<void>;
    /** What belongs to no stream. The buffer is a view of a large one. */
    on(event: 'message', listener: (bytes: Uint8Array, from: UdxFrom) => void): this;
    on(event: string, listener: (...args: unknown[]) => void): this;
  }

  /** A streamx Duplex: no node:stream, and without backpressure for what comes in. */
  export interface UdxRawStream extends EventEmitter {
    readonly id: number;
    readonly remoteId: number;
    readonly bytesReceived: number;
    readonly destroying: boolean;
    connect(socket: UdxRawSocket, remoteId: number, port: number, host: string): void;
    write(bytes: Uint8Array): boolean;
    end(): void;
    destroy(error?: Error): void;
    /** One datagram on the stream's ids, unreliable. */
    trySend(bytes: Uint8Array): void;
  }

  export default class UDX {
    createSocket(): UdxRawSocket;
    createStream(id: number): UdxRawStream;
  }
}
