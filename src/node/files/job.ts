/** One receive into a folder: what all of its parts share, the same for every opening of it. */
import type { BeelineError } from '../../base/errors.ts';
import type { HashName } from '../../offer/hashing.ts';
import type { Entry } from '../../offer/manifest.ts';
import type { ByteSpace } from '../../offer/space.ts';
import type { Attributes } from './attributes.ts';
import type { Overwrite, Plan } from './conflicts.ts';
import type { Staging } from './staging.ts';

export interface Job {
  /** Real path of the destination. */
  root: string;
  /** As they are written here, and as the sender names them. */
  entries: readonly Entry[];
  offered: readonly Entry[];
  /** The manifest of what is written here. */
  pages: readonly Uint8Array[];
  space: ByteSpace;
  /** What the hashes of chunks are made with. */
  hash: HashName;
  /** The URLs that it comes from, if it does. */
  from: readonly string[];
  plan: Plan;
  overwrite: Overwrite;
  attributes: Attributes;
  staging: Staging;
  /** Times that are less than so many microseconds apart may be one here. */
  step: number;
  /** What a person should know though the transfer goes on. */
  warn: (warning: BeelineError) => void;
}
