/** URLs of a server of several instances: of its Redis, and of each instance. */
import { fault } from '../base/errors.ts';
import { isInstancePath } from '../websocket/url.ts';
import { MAX_RELAY_URL } from '../wire/relay.ts';

/** @returns for people and logs, without a password @throws BeelineError USAGE, which does not quote it */
export function redisTarget(text: string): { where: string; database: number } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const [, database] = /^\/?(\d{1,3})?$/.exec(url?.pathname ?? '') ?? [undefined, 'none'];
  if (!url || !/^rediss?:$/.test(url.protocol) || url.hostname === '' || database === 'none' || url.search)
    throw fault('REDIS_UNUSABLE', {
      why: 'its URL is like redis://NAME:PASSWORD@HOST:6379/0, or rediss:// for TLS',
    });
  return { where: `${url.hostname}:${url.port || 6379}`, database: Number(database ?? 0) };
}

/** What must be right before a server is one of several. @throws BeelineError USAGE */
export function checkRedis(redis: string, publicUrl: string | undefined, relay: boolean): void {
  redisTarget(redis);
  if (relay && publicUrl === undefined)
    throw fault('REDIS_UNUSABLE', { why: 'an instance that relays needs a public URL of its own' });
  if (publicUrl !== undefined && !carrierUrl(publicUrl))
    throw fault('REDIS_UNUSABLE', {
      why: 'the public URL of this instance is an http or https URL with a short path such as /i/1, without a name, a query or a fragment',
    });
}

/** Whether clients may be sent there. */
export function carrierUrl(text: string): boolean {
  if (text.length > MAX_RELAY_URL || !URL.canParse(text)) return false;
  const { protocol, hostname, pathname, username, password, search, hash } = new URL(text);
  const extra = `${username}${password}${search}${hash}`;
  return /^(https?|wss?):$/.test(protocol) && hostname !== '' && extra === '' && isInstancePath(pathname);
}
