// React: a page that sends files and receives them. Bundle it as you do your own, and serve the two workers beside it:
//   cp node_modules/@beeline-transfer/beeline/dist/browser/{storage,download}.worker.js public/beeline/
import {
  formatBytes,
  itemsOfInput,
  type Kept,
  type OfferSummary,
  receive,
  saveAsDownloads,
  send,
  useWorkers as setWorkers,
  type Transfer,
} from '@beeline-transfer/beeline/browser';
import { type FormEvent, useCallback, useEffect, useRef, useState } from 'react';

// Once, before anything is received. It is no hook, whatever its name.
setWorkers({
  storage: () => new Worker('/beeline/storage.worker.js', { type: 'module' }),
  register: () =>
    navigator.serviceWorker.register('/beeline/download.worker.js', { scope: '/beeline/download/' }),
});

interface Shown {
  status: 'idle' | 'running' | 'done' | 'failed';
  code?: string;
  bytes: number;
  total: number | null;
  error?: string;
}
const IDLE: Shown = { status: 'idle', bytes: 0, total: null };

/** One transfer at a time, as a component shows it. It ends with the component, and when another begins. */
export function useTransfer() {
  const [shown, setShown] = useState(IDLE);
  const ending = useRef<AbortController>(undefined);
  useEffect(() => () => ending.current?.abort(), []);
  const run = useCallback(<T extends Transfer>(begin: (signal: AbortSignal) => T): T => {
    ending.current?.abort();
    const own = new AbortController();
    ending.current = own;
    const show = (more: Partial<Shown>) => {
      if (!own.signal.aborted) setShown((before) => ({ ...before, ...more }));
    };
    setShown({ ...IDLE, status: 'running' });
    const transfer = begin(own.signal);
    transfer.subscribe((event) => {
      if (event.event === 'code') show({ code: event.code });
      if (event.event === 'progress') show({ bytes: event.bytes, total: event.total });
    });
    transfer.done.then(
      () => show({ status: 'done' }),
      (error: Error) => show({ status: 'failed', error: error.message }),
    );
    return transfer;
  }, []);
  return { ...shown, run };
}

function Progress({ status, bytes, total, error }: Shown) {
  if (status === 'idle') return null;
  return (
    <>
      {status === 'running' && total !== null && <progress value={bytes} max={total} />}
      <p role="status">
        {{ running: `${formatBytes(bytes)} …`, done: 'It is there.', failed: error }[status]}
      </p>
    </>
  );
}

export function Send({ server }: { server: string }) {
  const { run, code, ...shown } = useTransfer();
  return (
    <section aria-label="Send">
      <input
        type="file"
        multiple
        aria-label="Files to send"
        onChange={({ currentTarget: { files } }) =>
          files?.length && run((signal) => send(itemsOfInput(files), { server, signal }))
        }
      />
      {code !== undefined && (
        <p>
          The code is <output>{code}</output>
        </p>
      )}
      <Progress {...shown} />
    </section>
  );
}

interface Question {
  offer: OfferSummary;
  answer: (yes: boolean) => void;
}

export function Receive({ server }: { server: string }) {
  const { run, ...shown } = useTransfer();
  const [question, setQuestion] = useState<Question>();
  const [kept, setKept] = useState<Kept>();

  async function begin(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const code = String(new FormData(event.currentTarget).get('code'));
    setKept(undefined);
    const transfer = run((signal) =>
      receive({
        ...{ server, code, signal },
        async accept(offer) {
          const yes = await new Promise<boolean>((answer) => setQuestion({ offer, answer }));
          setQuestion(undefined);
          return yes && 'kept';
        },
      }),
    );
    setKept(await transfer.kept);
    setQuestion(undefined);
  }

  return (
    <section aria-label="Receive">
      <form onSubmit={begin}>
        <input name="code" aria-label="Code of the sender" required />
        <button type="submit">See what it is</button>
      </form>
      {question && (
        <p>
          {/* Names come from the other side, escaped: text, and nothing else. */}
          {question.offer.names.join(', ')}{' '}
          <button type="button" onClick={() => question.answer(true)}>
            Receive
          </button>
          <button type="button" onClick={() => question.answer(false)}>
            Decline
          </button>
        </p>
      )}
      <Progress {...shown} />
      {kept && (
        <button type="button" onClick={() => saveAsDownloads(kept)}>
          Save
        </button>
      )}
    </section>
  );
}
