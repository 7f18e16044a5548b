/** Stable error codes. Scripts depend on them: never rename one, never reuse one. */
export type ErrorCode =
  | 'USAGE' // the call itself is wrong
  | 'NO_SUCH_PATH' // a path to send does not exist
  | 'UNREADABLE' // a source file or folder cannot be read
  | 'SOURCE_CHANGED' // a file shrank, grew, changed or vanished while it was sent
  | 'EXISTS' // the destination exists and the overwrite policy says no
  | 'DISK_FULL' // no room (or no quota) at the destination
  | 'WRITE_FAILED' // any other failure to write at the destination
  | 'LOCKED' // another receive is at work on the same unfinished data
  | 'UNSAFE_NAME' // the peer offered a name or link that must not be written
  | 'BAD_MANIFEST' // the peer's manifest is absurd or contradicts itself
  | 'PROTOCOL' // the peer sent something that is not the protocol
  | 'DAMAGED' // a file that Beeline wrote is damaged, was changed, or is none
  | 'VERSION' // the peer speaks another protocol version
  | 'WRONG_CODE' // the code (or key) was wrong; a code is burned by it
  | 'AUTHENTICATION' // a peer or lane could not prove its identity
  | 'VERIFICATION' // bytes or root differ from what was promised
  | 'NO_PEER' // nobody there under that code
  | 'NO_PATH' // the peer is known, but no lane to it can be opened
  | 'CROWDED' // two are using that code already
  | 'SERVER' // a server refused, failed or is not there, or a port cannot be listened on
  | 'TIMEOUT' // a wait reached its deadline
  | 'REFUSED' // the person or program on a side said no
  | 'CANCELLED' // cancelled by a side
  | 'INTERRUPTED' // this process was told to stop; resumable
  | 'PEER_FAILED' // the other side reported a failure of its own
  | 'INTERNAL'; // a bug
