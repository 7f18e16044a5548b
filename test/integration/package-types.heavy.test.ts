/** The packed types for who has not updated the compiler, which takes ten times as long as the newest. */
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { checkTypes, installPacked, RESOLUTIONS } from './packed.ts';

for (const [module, resolution] of RESOLUTIONS)
  test(`integration: the packed types check strictly with TypeScript 6 and ${resolution} resolution`, (context) => {
    const dir = installPacked();
    context.after(() => rmSync(dir, { recursive: true, force: true }));
    checkTypes(dir, 'typescript', module, resolution);
  });
