import { useEffect, useRef, useState } from 'preact/hooks';
import { codeIn, codeProblem, elsewhere } from '../model/code.ts';
import { canScan, scan } from '../scanner.ts';
import { say } from '../words/index.ts';
import { Button } from './basics.tsx';

/** What a browser's refusal means to a person. */
const REFUSALS: Readonly<Record<string, 'scan.notAllowed' | 'scan.notFound' | 'scan.notReadable'>> = {
  NotAllowedError: 'scan.notAllowed',
  NotFoundError: 'scan.notFound',
  NotReadableError: 'scan.notReadable',
};

/** A button that opens the camera. @param found gets a well-formed code, with which nothing is done before the person says so */
export function Scan({ found }: { found: (code: string) => void }) {
  const [open, setOpen] = useState(false);
  if (!canScan()) return null;
  return (
    <>
      <Button label={say('scan')} act={() => setOpen(true)} />
      {open && (
        <Camera
          found={(code) => {
            setOpen(false);
            found(code);
          }}
          close={() => setOpen(false)}
        />
      )}
    </>
  );
}

function Camera({ found, close }: { found: (code: string) => void; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const [words, setWords] = useState(say('scan.hold'));
  useEffect(() => {
    const ended = new AbortController();
    dialog.current!.showModal();
    const take = (text: string) => {
      if (codeProblem(text) !== undefined) return setWords(say('scan.other'));
      const there = elsewhere(text, location);
      if (there !== undefined) return setWords(there);
      ended.abort();
      found(codeIn(text));
    };
    scan(video.current!, ended.signal, take).catch(({ name = '' }: { name?: string }) => {
      if (!ended.signal.aborted) setWords(say(REFUSALS[name] ?? 'scan.failed'));
    });
    return () => ended.abort();
  }, []);
  return (
    <dialog ref={dialog} class="camera" aria-labelledby="camera-title" onClose={close}>
      <h2 id="camera-title">{say('scan.title')}</h2>
      <video ref={video} muted playsInline />
      <p role="status">{words}</p>
      <Button label={say('cancel')} act={() => dialog.current?.close()} />
    </dialog>
  );
}
