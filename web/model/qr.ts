/** A QR code as one path of an SVG: squares of one unit, rows joined into runs. Pure. */
import { encode } from 'uqr';

/** ISO/IEC 18004 asks for a quiet zone of four modules. */
const QUIET = 4;

export interface QrPath {
  /** Width and height, in modules. */
  size: number;
  /** The dark modules, as an SVG path. */
  path: string;
}

export function qrPath(text: string): QrPath {
  const { data, size } = encode(text, { ecc: 'M', border: QUIET });
  const runs: string[] = [];
  for (const [y, row] of data.entries()) {
    for (let x = 0; x < size; ) {
      const start = x;
      while (x < size && row[x]) x++;
      if (x > start) runs.push(`M${start} ${y}h${x - start}v1h${start - x}z`);
      else x++;
    }
  }
  return { size, path: runs.join('') };
}
