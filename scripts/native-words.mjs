// Writes dist/words.h, which the native programs include. A published package holds that file, and neither src/ nor esbuild.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = `${root}src/cli/native-words.ts`;
const file = `${root}dist/words.h`;

async function words() {
  const { build } = await import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
  });
  const [{ contents }] = outputFiles;
  const module = await import(`data:text/javascript;base64,${Buffer.from(contents).toString('base64')}`);
  return module.nativeWords();
}

if (existsSync(entry)) {
  const text = await words();
  // The time of an unchanged file stays, so that nothing is compiled again.
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
    mkdirSync(`${root}dist`, { recursive: true });
    writeFileSync(file, text);
  }
}
