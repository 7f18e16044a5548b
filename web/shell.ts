/** Makes the page one that can be installed and that opens without its server, and fetches what was shared with it. */
import { registerShell } from './trusted.ts';

/** What another program shared with the installed page. */
export interface SharedWith {
  files: readonly File[];
  text: string;
}

/** Milliseconds. */
const DEADLINE = 10_000;

/** A browser may not do it, as in a private window or for a certificate that nobody vouches for: then all is as before. */
export function keepShell(): void {
  if ('serviceWorker' in navigator) void registerShell().catch(() => {});
}

/** Undefined where it is not there any more. */
export async function sharedWith(id: string): Promise<SharedWith | undefined> {
  const { active } = await navigator.serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(undefined), DEADLINE);
    port1.onmessage = ({ data }: MessageEvent<SharedWith | undefined>) => {
      clearTimeout(late);
      resolve(data);
    };
    active?.postMessage(id, [port2]);
  });
}
