#!/usr/bin/env node
/** The `beeline` command. First of all its arguments leave what `ps` shows: loading the rest takes a moment, and a code may be among them. */
process.title = 'beeline';
await import('./process.ts');
