/** Why this machine lets nobody listen at a port. */
import { type BeelineError, fault } from './errors.ts';

/** @param what such as `port 80 of any address` */
export function cannotListen(cause: Error & { code?: string }, what: string): BeelineError {
  switch (cause.code) {
    case 'EADDRINUSE':
      return fault('PORT_IN_USE', { what }, { cause });
    case 'EACCES':
      return fault('PORT_FORBIDDEN', { what }, { cause });
    case 'EADDRNOTAVAIL':
      return fault('ADDRESS_NOT_HERE', { what }, { cause });
    default:
      return fault('CANNOT_LISTEN', { what, why: cause.message }, { cause });
  }
}
