/** What this browser can do here, found out by trying, never by its name. */
import { StorageClient } from './storage-client.ts';
import { downloadWorker } from './workers.ts';

export interface PageAbilities {
  /** There is crypto: the page came over TLS, or from this machine. */
  secure: boolean;
  /** It keeps what is received, so that a transfer can be gone on with (OPFS). */
  opfs: boolean;
  /** It can write into a folder that the person picks. */
  folder: boolean;
  /** It can stream a download (a service worker). */
  stream: boolean;
  webrtc: boolean;
}

let found: Promise<PageAbilities> | undefined;

/** Asked once; the page's workers must be known by then. */
export function abilities(): Promise<PageAbilities> {
  found ??= look();
  return found;
}

async function look(): Promise<PageAbilities> {
  const secure = globalThis.isSecureContext && crypto.subtle !== undefined;
  const [opfs, stream] = await Promise.all([secure && keeps(), secure && streams()]);
  return {
    secure,
    opfs,
    folder: 'showDirectoryPicker' in globalThis,
    stream,
    webrtc: typeof RTCPeerConnection === 'function',
  };
}

/** Some browsers have the functions and fail in private windows; synchronous handles exist in workers only. */
async function keeps(): Promise<boolean> {
  let client: StorageClient | undefined;
  try {
    client = new StorageClient();
    await client.ask('probe');
    return true;
  } catch {
    return false;
  } finally {
    client?.end();
  }
}

async function streams(): Promise<boolean> {
  try {
    await downloadWorker();
    return true;
  } catch {
    return false;
  }
}
