/** Has the router there is now forward the ports that transports listen on, and no others. */
import { mapPorts, type PortMapper } from '../../nat/mapping/map-ports.ts';
import type { Transport } from '../../transports/transport.ts';
import type { CommonOptions, Logger } from '../api.ts';

export class Forwarding {
  readonly #transports: readonly Transport[];
  readonly #onChange: () => void;
  readonly #log: Logger | undefined;
  readonly #end = new AbortController();
  #mapping: PortMapper | undefined;
  /** One after the other: what takes an old mapping back would end its successor. */
  #mapped: Promise<void> = Promise.resolve();
  /** What is mapped, or asked for. */
  #ports = '';

  constructor(transports: readonly Transport[], onChange: () => void, log: Logger | undefined) {
    this.#transports = transports;
    this.#onChange = onChange;
    this.#log = log;
  }

  /** Asks for the ports that there are now, unless it has. @param anew the router may be another */
  update(anew = false): void {
    this.#mapped = this.#mapped.then(() => this.#map(anew));
  }

  /** Resolves when the router has its ports back, or does not say so soon. */
  async close(): Promise<void> {
    this.#end.abort();
    await this.#mapped;
    await this.#mapping?.close();
  }

  async #map(anew: boolean): Promise<void> {
    const { signal } = this.#end;
    const listening = this.#transports.flatMap((transport) => {
      const port = transport.port?.();
      return port ? [{ ...port, transport }] : [];
    });
    const ports = listening.map(({ protocol, port }) => `${protocol} ${port}`).join();
    if (signal.aborted || (!anew && ports === this.#ports)) return;
    this.#ports = ports;
    await this.#mapping?.close();
    for (const transport of this.#transports) transport.forwarded?.(undefined);
    if (signal.aborted || listening.length === 0) return;
    this.#mapping = mapPorts({
      ...Object.fromEntries(listening.map(({ protocol, port }) => [protocol, port])),
      signal,
      onMapped: (protocol, address) => {
        for (const each of listening) if (each.protocol === protocol) each.transport.forwarded?.(address);
        this.#onChange();
      },
      ...(this.#log && { log: this.#log }),
    });
  }
}

/**
 * Whether the router is asked for a port. Not for a sender's own meeting point, whose page and relay are for its network
 * only; nor for a server on this very machine: whoever meets there is here too, and no router stands between.
 */
export function mapsPort({ portMap, server }: Pick<CommonOptions, 'portMap' | 'server'>): boolean {
  if (portMap === false || server === undefined) return false;
  return !/^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(server).hostname);
}
