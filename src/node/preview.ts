/** What `send` would send, and nothing else happens. */
import type { BeelineError } from '../base/errors.ts';
import type { Entry } from '../offer/manifest.ts';
import type { SendOptions } from './api.ts';
import { walk } from './files/walk.ts';
import { checkSend } from './options.ts';

export interface Preview {
  entries: readonly Entry[];
  /** What filters left out, each folder as one. */
  leftOut: number;
}

/**
 * @param warn told of what could not be read or named, and of links that lead out
 * @throws BeelineError as `send` does: NO_SUCH_PATH, UNREADABLE, UNSAFE_NAME, USAGE
 */
export async function preview(
  paths: readonly string[],
  options: SendOptions,
  warn: (path: string, error: BeelineError) => void,
): Promise<Preview> {
  checkSend(paths, options);
  const { onUnreadable = 'fail', links, exclude, include, gitignore, zip } = options;
  return walk(paths, {
    ...{ onUnreadable, links, exclude, include, gitignore, zip },
    ...{ onSkip: warn, onOutward: warn },
  });
}
