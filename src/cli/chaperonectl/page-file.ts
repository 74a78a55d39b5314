/** Makes one file of the inspector page and a recording, which a browser opens without any server. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Entry } from '../../inspect/entry.ts';

/** The page runs what stands in it, and loads nothing else. */
const policy =
  "default-src 'none'; script-src 'unsafe-inline'; worker-src blob:; style-src 'unsafe-inline'; img-src data:";

/** @param assets the folder with the built page */
export function pageFile(entries: readonly Entry[], assets: string): string {
  const read = (name: string): string => readFileSync(join(assets, name), 'utf8');
  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const parts: readonly (readonly [mark: string, replacement: string])[] = [
    [
      '<meta charset="utf-8" />',
      `<meta charset="utf-8" /><meta http-equiv="Content-Security-Policy" content="${policy}" />`,
    ],
    ['<link rel="stylesheet" href="page.css" />', `<style>${read('page.css')}</style>`],
    ['<script type="module" src="page.js"></script>', ''],
    [
      '</body>',
      `${part('recording', lines)}${part('layout', read('layout.js'))}${part('search-code', read('search.js'))}<script type="module">${inScript(read('page.js'))}</script></body>`,
    ],
  ];
  return parts.reduce((html, [mark, replacement]) => {
    if (!html.includes(mark)) throw new Error(`internal error: the page has no ${mark}`);
    return html.replace(mark, () => replacement);
  }, read('index.html'));
}

/** A part that only the page reads: base64 holds nothing that HTML would take for its own. */
function part(id: string, text: string): string {
  return `<script type="text/plain" id="${id}">${gzipSync(text).toString('base64')}</script>`;
}

/** In a script element, code must not hold what ends the element or begins a comment. */
function inScript(code: string): string {
  return code.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--');
}
