/** The functions of node:fs as they are, kept before anything is patched. */
import fs from 'node:fs';

export const real: Omit<typeof fs, 'promises'> = { ...fs };
