/** Who may connect to the relayed address: permissions, which the server forgets after 5 minutes (RFC 8656, 9). */
import { familyOf, spelled } from '../../base/addresses.ts';

/** Addresses allowed at once; the one asked for longest ago makes room. */
export const MAX_PERMISSIONS = 16;

export interface PermissionOptions {
  /** Of the addresses that the allocation can talk to. */
  family: 4 | 6;
  /** Installs or renews one permission at the server. */
  ask: (host: string) => Promise<void>;
  /** Milliseconds between renewals. */
  renew: number;
  /** The server said no to this address, or nothing at all. */
  refused: (host: string, error: unknown) => void;
}

export class Permissions {
  readonly #options: PermissionOptions;
  /** Until a permission is there, and as long as it is renewed; oldest wish first. */
  readonly #wanted = new Map<string, Promise<void>>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: PermissionOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      for (const host of this.#wanted.keys()) this.#ask(host);
    }, options.renew);
  }

  /** Resolves once the server has answered for each. What is no address of the right family is left out. */
  async permit(hosts: readonly string[]): Promise<void> {
    const addresses = hosts.flatMap((host) => spelled(host) ?? []);
    const fitting = addresses.filter((address) => familyOf(address) === this.#options.family);
    const distinct = [...new Set(fitting)].slice(0, MAX_PERMISSIONS);
    for (const host of distinct) {
      const asked = this.#wanted.get(host);
      this.#wanted.delete(host);
      if (asked) this.#wanted.set(host, asked);
      else this.#ask(host);
    }
    for (const host of [...this.#wanted.keys()].slice(0, -MAX_PERMISSIONS)) this.#wanted.delete(host);
    await Promise.all(distinct.map((host) => this.#wanted.get(host)));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#wanted.clear();
  }

  #ask(host: string): void {
    const { ask, refused } = this.#options;
    const asked = ask(host).catch((error: unknown) => {
      // Not renewed, but asked for again when it is wished for again. A renewal that came later stands.
      if (this.#wanted.get(host) === asked) this.#wanted.delete(host);
      refused(host, error);
    });
    this.#wanted.set(host, asked);
  }
}
