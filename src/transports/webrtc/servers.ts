/** The ICE servers that a rendezvous server offers. Pure. */
import type { Services } from '../../wire/rendezvous.ts';

/** As RTCConfiguration has it (W3C WebRTC, 4.2.1). */
export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}

/**
 * @param url of the server, on whose host STUN answers
 * @param relay whether TURN may be used
 */
export function iceServers({ stun, turn }: Services, url: string | undefined, relay: boolean): IceServer[] {
  const servers: IceServer[] = [];
  // Any one of its ports tells what the world sees; a second would only take time.
  if (url !== undefined && stun[0] !== undefined)
    servers.push({ urls: [`stun:${new URL(url).hostname}:${stun[0]}`] });
  if (turn && relay) servers.push({ ...turn, urls: turn.urls.filter((each) => /^turns?:/.test(each)) });
  return servers;
}
