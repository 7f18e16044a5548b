/** What a lane needs of a transport: an ordered, authenticated byte pipe with backpressure both ways. */
export interface Pipe {
  /** The transport's. */
  readonly kind: string;
  /** It goes through somebody's relay, as far as is known: whoever made it tells. Absent: it does not. */
  readonly relayed?: boolean;
  /** Addresses for people and logs, `host:port`. */
  readonly local: string;
  readonly remote: string;
  /** Writes one buffer; calls back when it has left for the network and may be reused. One write at a time. */
  write(bytes: Uint8Array, done: (error?: Error | null) => void): void;
  /** Starts delivery. The bytes belong to the pipe and are valid during the call only. */
  start(data: (bytes: Uint8Array) => void, closed: (error?: Error) => void): void;
  /** Stops delivery soon: a little more may still come. */
  pause(): void;
  resume(): void;
  destroy(error?: Error): void;
}
