/** The forms that arguments of node:fs come in. */
import { constants } from 'node:os';
import { real } from './real.ts';

/** write(fd, buffer, offset?, length?, position?), write(fd, buffer, options), write(fd, text, position?, encoding?) */
export function writeArguments([, what, second, third, fourth]: unknown[]): {
  data: Buffer;
  position: number | null;
} {
  const positionOf = (value: unknown) =>
    typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
  if (typeof what === 'string')
    return { data: Buffer.from(what, third as BufferEncoding | undefined), position: positionOf(second) };
  const view = what as NodeJS.ArrayBufferView;
  const whole = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  const options =
    second !== null && typeof second === 'object' ? (second as { [name: string]: unknown }) : undefined;
  const offset = Number((options ? options.offset : second) ?? 0);
  const length = Number((options ? options.length : third) ?? whole.length - offset);
  return {
    data: whole.subarray(offset, offset + length),
    position: positionOf(options ? options.position : fourth),
  };
}

/** Flags of open as a number. */
export function bitsOf(flags: string): number {
  const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_TRUNC, O_APPEND, O_EXCL } = real.constants;
  const access = flags.includes('+') ? O_RDWR : flags.startsWith('r') ? O_RDONLY : O_WRONLY;
  const how = { r: 0, w: O_CREAT | O_TRUNC, a: O_CREAT | O_APPEND }[flags[0]!];
  if (how === undefined || !/^[rwa][xs+]*$/.test(flags))
    throw Object.assign(new Error(`unknown flags ${flags}`), {
      code: 'EINVAL',
      errno: -constants.errno.EINVAL,
    });
  return access | how | (flags.includes('x') ? O_EXCL : 0);
}
