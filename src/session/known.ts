/** A secret that this side and the other share. */
import type { SharedSecret } from '../identity/secret.ts';

export interface Known {
  secret: SharedSecret;
  /** Set for a trusted device. */
  device?: { name: string; key: string };
  /** This device's own key, then. */
  own?: string;
}
