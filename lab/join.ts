/** How two interfaces in two namespaces become the ends of one link. */
import { ip } from './ip.ts';

/** An interface by its name, and the namespace in which it is to be. */
export interface End {
  readonly namespace: string;
  readonly device: string;
}

/**
 * Makes the interfaces `a` and `b`, joined with each other; addresses, routes and bringing them up are the caller's.
 * What it returns, if anything, is called before the namespaces are removed: there a link's program is ended.
 * Links carry IPv4 and IPv6 packets; nothing here needs Ethernet, so a TUN pair will do as well.
 */
export type Join = (a: End, b: End) => Unjoin | undefined | Promise<Unjoin | undefined>;
export type Unjoin = () => void;

/** A wire without delay or loss. */
export const joinByVeth = (a: End, b: End): undefined => {
  ip(
    ...['-n', a.namespace, 'link', 'add', a.device, 'type', 'veth'],
    ...['peer', 'name', b.device, 'netns', b.namespace],
  );
};
