// Builds the inspector page: one HTML file, one style sheet and one script, with the layout library beside them, which the page
// loads in a worker when it first draws a graph, and the search of the log, a worker, too. Nothing else is ever fetched.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundle, noteInputs } from './bundle-options.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = `${root}/dist/inspect-page`;

mkdirSync(target, { recursive: true });
await bundle({
  absWorkingDir: root,
  entryPoints: { page: 'src/inspect/page/main.tsx', search: 'src/inspect/page/search-worker.ts' },
  outdir: target,
  bundle: true,
  platform: 'browser',
  format: 'esm',
  target: 'es2022',
  minify: true,
  tsconfig: 'src/inspect/page/tsconfig.json',
  legalComments: 'eof',
  logLevel: 'warning',
});
await bundle({
  absWorkingDir: root,
  entryPoints: ['src/inspect/page/page.css'],
  outdir: target,
  minify: true,
  logLevel: 'warning',
});
copyFileSync(`${root}/src/inspect/page/index.html`, `${target}/index.html`);
const licence =
  '/* elkjs, © Kiel University and others, EPL-2.0 OR GPL-3.0-or-later; source: https://github.com/kieler/elkjs */\n';
writeFileSync(
  `${target}/layout.js`,
  licence + readFileSync(`${root}/node_modules/elkjs/lib/elk-worker.min.js`, 'utf8'),
);
noteInputs(['node_modules/elkjs/lib/elk-worker.min.js']);
