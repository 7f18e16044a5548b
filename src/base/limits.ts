/** Every bound of the protocol in one place. Sizes are bytes, times are milliseconds unless a name says otherwise. */

export const PROTOCOL_VERSION = 3;

const KiB = 1024;
const MiB = 1024 * KiB;

/** Chunk sizes are powers of two in this range. */
export const MIN_CHUNK = 1 * MiB;
export const MAX_CHUNK = 4 * MiB;

/** Files with bytes in one chunk. So work for all files of a chunk takes milliseconds, however small they are. */
export const MAX_PIECES = 4096;

/** What is asked for at once: part of a chunk. That of the largest TLS record (RFC 8446, 5.1). */
export const BLOCK_BYTES = 16 * KiB;

/** A lane frame without blocks; larger ones end the lane before anything is allocated. */
export const MAX_CONTROL_FRAME = 256 * KiB;
/** A manifest page: encoded entries. */
export const MAX_PAGE = 128 * KiB;
export const MAX_PAGES = 4096;
export const MAX_ENTRIES = 2_000_000;
/** All pages of a manifest together. */
export const MAX_MANIFEST = 256 * MiB;

/** A relative path, and one component of it, in UTF-8 bytes. */
export const MAX_PATH = 4096;
export const MAX_COMPONENT = 255;
export const MAX_DEPTH = 1000;
/** Seconds before and after 1970: more than any file system keeps, and far from what a number cannot count. */
export const MAX_TIME_S = 2 ** 42;

/** Files that may vanish or change under one transfer before it is given up as a whole. */
export const MAX_GONE = 10_000;

/** `--text` bodies. */
export const MAX_TEXT = 1 * MiB;

/** Chunks in one transfer: 256 TiB at the largest chunk size, and what their bitmaps may cost. */
export const MAX_CHUNKS = 2 ** 26;

/** A status's counter: low enough that this side can always count further, whatever a peer sends. */
export const MAX_STATUS_SEQ = 2 ** 32;

/** Ranges of blocks, and hashes, asked for on one lane and not yet answered. */
export const MAX_OUTSTANDING = 4096;
/** Chunks in one message about what is there. */
export const MAX_HAVE = 4096;
/** Bytes of a bitfield that one receiver tells another in a message. */
export const MAX_HOLDS = 64 * KiB;
/** Bytes of one offer that is received into memory. Whoever offers it says its size. */
export const MAX_IN_MEMORY = 1024 * MiB;
/** Chunks a stream (stdin, stdout) may run ahead of the first one not yet delivered. */
export const STREAM_WINDOW = 8;
/** Receivers that an origin introduces to one receiver. */
export const MAX_NEIGHBOURS = 8;
export const MAX_LANES = 64;
/** Beside the session's own. */
export const MAX_THREADS = 16;
/** Measured (docs/decisions.md): one lane fills a clean path, several fill a lossy one. */
export const DEFAULT_LANES = 4;
/** The most lanes that trials may use. */
export const MAX_STREAM_LANES = 16;
export const MAX_DATAGRAM_LANES = 8;
export const MAX_WEBRTC_LANES = 4;
/** Lanes at once through somebody's relay. */
export const RELAY_LANES = 2;

/** A rendezvous message, the whole of a mailbox's traffic, and how long a mailbox may live. */
export const MAX_SIGNAL = 16 * KiB;
export const MAX_MAILBOX_BYTES = 1 * MiB;
/** Transports that a hello speaks of, addresses that one of them names, and addresses that a side may come from. */
export const MAX_TRANSPORTS = 16;
export const MAX_ADDRESSES = 40;
export const MAX_HOSTS = 40;
/** WebRTC connections that one side negotiates at a time, the ICE candidates of each, and the characters of one. */
export const MAX_RTC = 4;
export const MAX_RTC_CANDIDATES = 10;
export const MAX_RTC_CANDIDATE = 128;

/** A lane that answers nothing for this long is dead; pings keep a quiet one alive. */
export const LANE_DEADLINE = 15_000;
export const LANE_PING = 1_000;
/** A lane that is silent for this long no longer counts, and one of another kind is opened beside it. */
export const LANE_QUIET = 1_600;
/** TCP connect plus TLS handshake of one lane. */
export const LANE_OPEN_DEADLINE = 10_000;
/** From the first PAKE message until both sides are proven. */
export const HANDSHAKE_DEADLINE = 30_000;
/** Seconds that a session which was connected waits for its other side: a sender costs nothing while it waits. */
export const SENDER_WAIT = 86_400;
export const RECEIVER_WAIT = 3_600;
/** Receivers of one offer at a time. */
export const MAX_RECEIVERS = 64;
/** Receivers that one receipt, and one result of a sender, can name: an offer for any number may have more. */
export const MAX_RECIPIENTS = 10_000;
/** What a timer of 31 bits of milliseconds can hold. */
export const MAX_WAIT = 2_000_000;
/** How long a sender waits for `confirmed` after the roots were equal. */
export const CONFIRM_DEADLINE = 30_000;
/** A receiver whose disk takes no more checks it again so often, and for so long. */
export const STALL_LOOK = 2_000;
export const STALL_DEADLINE = 86_400_000;
/** What a connected side answers at once: its offer, a page of its manifest, its last word (behind a look at all its files). */
export const ANSWER_DEADLINE = 300_000;
/** How long a receiver looks for the sender of a code, unless it is told to wait longer; and when it says that it still looks. */
export const FIND_DEADLINE = 12_000;
export const FIND_WORD = 3_000;
