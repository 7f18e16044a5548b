import { useEffect, useRef, useState } from 'preact/hooks';
import { codeIn, codeProblem } from '../model/code.ts';
import { canScan, scan } from '../scanner.ts';
import { Button } from './basics.tsx';

/** What a browser's refusal means to a person. */
const REFUSALS: Readonly<Record<string, string>> = {
  NotAllowedError: 'The browser may not use the camera. Allow it for this site, or type the code.',
  NotFoundError: 'There is no camera. Type the code.',
  NotReadableError: 'Another program uses the camera, or it was taken away. Type the code.',
};

/** A button that opens the camera. @param found gets a well-formed code, with which nothing is done before the person says so */
export function Scan({ found }: { found: (code: string) => void }) {
  const [open, setOpen] = useState(false);
  if (!canScan()) return null;
  return (
    <>
      <Button label="Scan" act={() => setOpen(true)} />
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
  const [words, setWords] = useState('Hold the QR code of the sender before the camera.');
  useEffect(() => {
    const ended = new AbortController();
    dialog.current!.showModal();
    const take = (text: string) => {
      if (codeProblem(text) !== undefined) return setWords('There is no code of Beeline in that QR code.');
      ended.abort();
      found(codeIn(text));
    };
    scan(video.current!, ended.signal, take).catch(({ name = '' }: { name?: string }) => {
      if (!ended.signal.aborted) setWords(REFUSALS[name] ?? 'The camera does not work here. Type the code.');
    });
    return () => ended.abort();
  }, []);
  return (
    <dialog ref={dialog} class="camera" aria-labelledby="camera-title" onClose={close}>
      <h2 id="camera-title">Scan the code</h2>
      <video ref={video} muted playsInline />
      <p role="status">{words}</p>
      <Button label="Cancel" act={() => dialog.current?.close()} />
    </dialog>
  );
}
