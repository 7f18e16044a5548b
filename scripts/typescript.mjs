/** The compiler that checks and writes types: TypeScript 7. TypeDoc and two tests need the interface that only 6 has. */
export const TYPESCRIPT = 'node_modules/typescript-7/bin/tsc';
