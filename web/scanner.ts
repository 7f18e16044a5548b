/** Reads QR codes out of the camera's pictures: by the browser where it can, else by a decoder that is loaded when it is asked for. */

/** Not in lib.dom. https://wicg.github.io/shape-detection-api/ */
interface Detector {
  detect(picture: CanvasImageSource): Promise<readonly { rawValue: string }[]>;
}
interface DetectorClass {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

/** A picture's texts; none where there is no code in it. */
type Read = (video: HTMLVideoElement) => Promise<readonly string[]>;

/** Milliseconds between two pictures: reading one takes a slow telephone about as long. */
const PACE = 120;
/** Pixels of the longer side, of which a code that fills a third of the picture has enough. */
const SIDE = 800;

export const canScan = (): boolean => navigator.mediaDevices?.getUserMedia !== undefined;

/** Shows the camera in `video` and hands over each text that it sees, until the signal says so. Rejects as `getUserMedia`. */
export async function scan(
  video: HTMLVideoElement,
  signal: AbortSignal,
  found: (text: string) => void,
): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  try {
    signal.throwIfAborted();
    video.srcObject = stream;
    await video.play();
    const read = await reader();
    while (!signal.aborted) {
      // A camera that is pulled out ends.
      if (stream.getVideoTracks().every(({ readyState }) => readyState === 'ended'))
        throw new DOMException('The camera has ended.', 'NotReadableError');
      for (const text of await read(video)) if (!signal.aborted) found(text);
      await new Promise((resolve) => setTimeout(resolve, PACE));
    }
  } finally {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  }
}

async function reader(): Promise<Read> {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorClass };
  const formats = await BarcodeDetector?.getSupportedFormats().catch((): string[] => []);
  if (BarcodeDetector && formats?.includes('qr_code')) {
    const detector = new BarcodeDetector({ formats: ['qr_code'] });
    return async (video) => (await detector.detect(video).catch(() => [])).map(({ rawValue }) => rawValue);
  }
  const { default: decode } = await import('qr/decode.js');
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  return async (video) => {
    const { videoWidth: width, videoHeight: height } = video;
    if (width === 0) return [];
    const scale = Math.min(1, SIDE / Math.max(width, height));
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    try {
      return [decode(context.getImageData(0, 0, canvas.width, canvas.height))];
    } catch {
      return [];
    }
  };
}
