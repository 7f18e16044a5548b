/** What receives have left unfinished in a folder: the library's entry, and the command's. */
export {
  type Discarded,
  discard,
  type Unfinished,
  type UnfinishedTransfer,
  unfinished,
} from './files/unfinished.ts';
