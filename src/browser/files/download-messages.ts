/**
 * What a page and the download worker say to each other about one download. The page's end of the port sends a piece
 * for every `pull`, so that whoever reads the download sets the pace.
 */

/** To the worker itself: keeps it running, and hands over a download with the port in `ports[0]`. */
export type DownloadRequest =
  | { type: 'offer'; id: string; name: string; size: number | undefined }
  | { type: 'ping'; id: string };

export type FromPage = { type: 'piece'; bytes: Uint8Array<ArrayBuffer> } | { type: 'end' } | { type: 'fail' };

export type FromWorker =
  /** It may be fetched now. */
  | { type: 'ready' }
  /** The browser has asked for it. */
  | { type: 'fetched' }
  | { type: 'pull' }
  /** The person, or a full disk, ended it. */
  | { type: 'cancel' }
  | { type: 'pong' };
