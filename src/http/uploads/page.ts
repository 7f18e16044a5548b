/**
 * The page of an inbox. Without script it is a form; with it, files and folders can be dropped anywhere, and what is cut off
 * goes on. The script is built by scripts/build.mjs from page-script.ts.
 */
import { readFile } from 'node:fs/promises';
import { html, raw } from 'hono/html';
import { formatBytes } from '../../session/format.ts';
import type { FormAnswer } from './form.ts';

/** What the page tells. */
export interface PageText {
  /** Whose inbox it is. */
  name: string;
  /** The most bytes of one file. */
  maxSize?: number;
}

export const SCRIPT_NAME = 'beeline-upload.js';
/** Where the build puts it, seen from dist/chunks and dist/cli. Run from its sources, the project has none. */
const SCRIPT = new URL(`../uploads/${SCRIPT_NAME}`, import.meta.url);

let script: Promise<string | undefined> | undefined;

/** Undefined: it is not built. */
export function uploadScript(): Promise<string | undefined> {
  script ??= readFile(SCRIPT, 'utf8').catch(() => undefined);
  return script;
}

type Html = ReturnType<typeof html>;

export function uploadPage(text: PageText, mount: string, withScript: boolean): Html {
  return frame(
    text,
    html`<p class="soft">Files go straight to this machine, and to nobody else.</p>
<form id="drop" method="post" enctype="multipart/form-data" action="${mount}/" data-tus="${mount}/tus">
<p class="big">Drop files or folders here</p>
<p class="pick"><label class="button">Choose files<input id="files" type="file" name="file" multiple required></label>
<label class="button plain" id="folder-label" hidden>Choose a folder<input id="folder" type="file" webkitdirectory multiple></label></p>
<p id="without"><button class="button" type="submit">Send</button></p>
${limit(text)}
</form>
<ul id="list" aria-live="polite"></ul>
<template id="row"><li><div class="line"><span class="name"></span><span class="state"></span></div>
<progress max="1" value="0"></progress><p class="word"></p>
<p class="do"><button type="button" class="again" hidden>Try again</button><button type="button" class="stop">Stop</button></p></li></template>`,
    withScript ? html`<script src="${mount}/${SCRIPT_NAME}" defer></script>` : html``,
  );
}

/** What became of the files of a form. */
export function answersPage(text: PageText, answers: readonly FormAnswer[], mount: string): Html {
  const saved = answers.filter(({ refusal }) => !refusal).length;
  return frame(
    text,
    html`<p class="big" role="status">${saved} of ${answers.length} arrived</p>
<ul id="list">${answers.map(
      ({ name, refusal }) =>
        html`<li><div class="line"><span class="name">${name}</span><span class="state">${refusal ? 'Refused' : 'Arrived'}</span></div>${
          refusal ? html`<p class="word">${refusal.message}</p>` : ''
        }</li>`,
    )}</ul>
<p><a class="button" href="${mount}/">Send more</a></p>`,
    html``,
  );
}

function limit({ maxSize }: PageText): Html | string {
  return maxSize === undefined
    ? ''
    : html`<p class="soft">A file may have at most ${formatBytes(maxSize)}.</p>`;
}

function frame({ name }: PageText, body: Html, end: Html): Html {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Send files to ${name}</title><meta name="robots" content="noindex"><link rel="icon" href="data:,"><style>${raw(STYLE)}</style></head>
<body><main><h1>Send files to ${name}</h1>
${body}</main>${end}</body></html>`;
}

/** Colours and shapes are those of the page in web/style.css. The policy of the answer names its hash. */
export const STYLE = `:root{color-scheme:light dark;--ground:#faf8f3;--card:#fff;--ink:#211c10;--soft:#625b4b;--edge:#8c8371;--amber:#f6b93b;--on:#211c10;--focus:#1557c0;--bad:#a4261b;--good:#22602f}
@media(prefers-color-scheme:dark){:root{--ground:#16140f;--card:#211e17;--ink:#f4efe4;--soft:#b9b09f;--edge:#8f8572;--focus:#9cc4ff;--bad:#ff9d90;--good:#9bd8a6}}
*{box-sizing:border-box}html{font:100%/1.5 system-ui,sans-serif;background:var(--ground);color:var(--ink)}body{margin:0}
main{max-width:42rem;margin:0 auto;padding:clamp(.75rem,4vw,2rem);overflow-wrap:anywhere}h1{font-size:1.6rem;line-height:1.2}
.soft{color:var(--soft)}.pick{display:flex;flex-wrap:wrap;gap:.5rem;justify-content:center}#drop{background:var(--card);border:2px dashed var(--edge);border-radius:.9rem;padding:2rem 1rem;text-align:center}
#drop.over{border-style:solid;border-color:var(--amber)}.big{font-size:1.25rem;font-weight:600}
.button,button{display:inline-block;min-height:2.75rem;padding:.6rem 1.2rem;border:0;border-radius:.6rem;background:var(--amber);color:var(--on);font:inherit;font-weight:600;cursor:pointer;text-decoration:none}
.plain,button.stop,button.again{background:none;color:inherit;border:1px solid var(--edge)}.scripted .button input{position:absolute;opacity:0;width:1px;height:1px}
[hidden]{display:none!important}:focus-visible,label:focus-within{outline:3px solid var(--focus);outline-offset:2px}
#list{list-style:none;padding:0}#list li{background:var(--card);border-radius:.9rem;padding:.75rem 1rem;margin:.5rem 0}.line{display:flex;justify-content:space-between;gap:1rem}
.name{font-weight:600}.state{white-space:nowrap}progress{appearance:none;display:block;width:100%;height:.7rem;margin:.25rem 0;border:1px solid var(--edge);border-radius:.35rem;background:var(--ground);overflow:hidden}
::-webkit-progress-bar{background:none}::-webkit-progress-value{background:var(--amber)}::-moz-progress-bar{background:var(--amber)}.word{margin:.25rem 0;color:var(--bad)}.word:empty{display:none}.do{margin:.25rem 0}.done .state{color:var(--good)}`;
