import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { inDist } from '../dist.ts';
import { boot, config, isRoot } from './namespace.ts';

const { version } = manifest;

/** The folder of an image: `lib` holds chaperone and a place for its Node, and `bin` links to the programs. */
function installed(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-installed-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cpSync(inDist(), join(folder, 'lib'), { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(folder, 'lib/node'), '', { mode: 0o755 });
  mkdirSync(join(folder, 'bin'));
  for (const name of Object.keys(manifest.bin)) symlinkSync(`../lib/${name}`, join(folder, 'bin', name));
  return folder;
}

/** Puts Node beside chaperone, and nothing else where it stood. */
const moveNode = (folder: string): string =>
  [
    `mount --bind '${process.execPath}' '${folder}/lib/node'`,
    `for file in '${process.execPath}' /usr/local/bin/node /usr/bin/node; do [ ! -e "$file" ] || mount --bind /dev/null "$file"; done`,
    '! node --version 2>/dev/null',
  ].join(' && ');

describe.runIf(isRoot)('a system whose only Node stands beside chaperone', () => {
  it.each<[string, Readonly<Record<string, string>>]>([
    ['', {}],
    [', whatever NODE_OPTIONS the image has', { NODE_OPTIONS: '--require /no/such/file.js --no-such-option' }],
  ])('has every program in PATH%s', async (_, more) => {
    const folder = installed();
    const script = [
      'set -e',
      ...Object.keys(manifest.bin).map((name) => `echo ${name}: $(${name} --version 2>&1)`),
      "echo 'for $(WHO)' | WHO=you envcp -",
      "echo 'template: $(NODE_OPTIONS:-none)' | envcp -",
      "sdnotify-exec sh -c 'echo command: $(printenv NODE_OPTIONS || echo none) $(printenv _CHAPERONE_NODE_OPTIONS)'",
      'sdnotify-exec --wait-ready sdnotify --ready && echo notified',
      'telchap status | grep all.service',
      'chaperonectl status all | grep -o all.service',
    ];
    const system = boot({
      program: join(folder, 'lib/chaperone'),
      before: moveNode(folder),
      env: { PATH: `${folder}/bin:/usr/bin:/bin`, ...more },
      files: {
        'all.conf': config({
          'all.service': {
            type: 'oneshot',
            command: `sh -c '. $(_CHAP_CONFIG_DIR)/chaperone.d/script'`,
            stdout: 'inherit',
          },
        }),
        script: script.join('\n'),
      },
    });
    expect([await system.exit, ...system.lines('stderr')]).toEqual([0]);
    const lines = system.lines('stdout');
    for (const name of Object.keys(manifest.bin)) {
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^${name}: .*${version.replaceAll('.', '\\.')}`)));
    }
    expect(lines).toEqual(expect.arrayContaining(['for you', 'notified', 'all.service']));
    const options = more['NODE_OPTIONS'] ?? 'none';
    expect(lines.map((line) => line.trim())).toEqual(
      expect.arrayContaining([`template: ${options}`, `command: ${options}`]),
    );
    expect(lines).toContainEqual(expect.stringMatching(/ all\.service +true +starting /));
  });
});
