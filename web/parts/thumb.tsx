/** A small picture of an image, or the icon of its kind. It is drawn from the bytes: a policy lets this page load no other address. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { isPicture, kindOf } from '../model/kinds.ts';
import { HEAD, mayShrink } from '../model/picture.ts';
import { Icon } from './icons.tsx';

/** Pixels, for screens of two to one. */
const EDGE = 96;
/** Bytes: a larger picture takes too long to be made small. */
const MOST = 40_000_000;

/** One after the other, so that a hundred pictures do not fill the memory at once. */
let queue: Promise<unknown> = Promise.resolve();

/** @param blob what it holds; absent where that is not here */
export function Thumb({ name, blob }: { name: string; blob?: (() => Promise<Blob>) | undefined }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drawn, setDrawn] = useState(false);
  const drawable = blob !== undefined && isPicture(name);
  useEffect(() => {
    setDrawn(false);
    if (!drawable) return;
    let over = false;
    const draw = async () => {
      if (over) return;
      const bytes = await blob();
      if (over || bytes.size > MOST) return;
      // Whoever made it may be a stranger.
      if (!mayShrink(new Uint8Array(await bytes.slice(0, HEAD).arrayBuffer())) || over) return;
      const picture = await createImageBitmap(bytes, { resizeHeight: EDGE, resizeQuality: 'medium' });
      const surface = canvas.current;
      if (!over && surface) {
        const side = Math.min(picture.width, picture.height);
        const [x, y] = [(picture.width - side) / 2, (picture.height - side) / 2];
        surface.width = EDGE;
        surface.height = EDGE;
        surface.getContext('2d')?.drawImage(picture, x, y, side, side, 0, 0, EDGE, EDGE);
        setDrawn(true);
      }
      picture.close();
    };
    // What is no picture in spite of its name keeps its icon.
    queue = queue.then(draw).catch(() => {});
    return () => {
      over = true;
    };
  }, [drawable, name]);
  return (
    <span class="thumb" aria-hidden="true">
      {drawable && <canvas ref={canvas} hidden={!drawn} />}
      {!drawn && <Icon name={kindOf(name)} />}
    </span>
  );
}
