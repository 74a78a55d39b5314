/** A service of another account swaps names in its folder while chaperone, as root, logs and copies there. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import { boot, config, here, isRoot } from './namespace.ts';

const stranger = 1000;

/** Swaps for 4 s. `theirs` and `roots` are the arguments. */
const attack = `
  const fs = require("fs"), [, theirs, roots] = process.argv;
  const quietly = (action) => { try { action(); } catch {} };
  const end = Date.now() + 4000;
  for (let turn = 0; Date.now() < end; turn++) {
    for (const name of ["x.log", "x.log.1", "x.log.1.gz", "x.log.gz-part", "copy", "x.pid"]) {
      const path = theirs + "/" + name;
      quietly(() => fs.unlinkSync(path));
      if (turn % 3 === 0) quietly(() => fs.symlinkSync(roots + "/secret", path));
      if (turn % 3 === 1) quietly(() => fs.linkSync(roots + "/secret", path));
    }
    const sub = theirs + "/sub", away = theirs + "/away" + turn;
    quietly(() => fs.renameSync(sub, away));
    quietly(() => fs.rmSync(away, { recursive: true }));
    if (turn % 2 === 0) quietly(() => fs.symlinkSync(roots, sub));
    else quietly(() => fs.mkdirSync(sub));
  }
  console.log("attacked");
`.replaceAll('\n', ' ');

it.runIf(isRoot)(
  'no file of root is changed, given away, removed or shown, and the system goes on',
  async () => {
    const envcp = inDist('envcp.cjs');
    const copies = ['copy', 'sub/secret'].map(
      (name) => `${envcp} --overwrite -a ${here}/source ${here}/theirs/${name}`,
    );
    const system = boot({
      before: [
        'chmod 755 .',
        'mkdir theirs roots',
        'echo precious > roots/secret',
        'echo new > source',
        'chmod 644 roots/secret',
        `chown ${stranger}:${stranger} theirs`,
        'mkfifo go',
      ].join(' && '),
      files: {
        'x.conf': config({
          settings: { inspect: { journal: `${here}/theirs/sub/secret` } },
          'attack.service': {
            type: 'oneshot',
            uid: stranger,
            gid: stranger,
            directory: '/',
            command: `node -e '${attack}' ${here}/theirs ${here}/roots`,
          },
          'talk.service': {
            command: `sh -c "for i in $(seq -s ' ' 2000); do echo $i; sleep 0.002; done"`.replace(
              /\$\(seq[^)]*\)/,
              Array.from({ length: 1_000 }, (_, index) => index).join(' '),
            ),
          },
          'copy.service': {
            type: 'oneshot',
            ignore_failures: true,
            command: `sh -c "for i in 1 2 3 4 5 6 7 8 9 10; do ${copies.join('; ')}; done 2>&1"`,
          },
          'pid.service': {
            command: 'sleep 1000',
            pidfile: `${here}/theirs/sub/secret`,
            process_timeout: 2,
            ignore_failures: true,
          },
          'one.logging': {
            file: `${here}/theirs/x.log`,
            uid: stranger,
            gid: stranger,
            overwrite: true,
            max_size: '1K',
            keep: 2,
            compress: true,
          },
          'two.logging': { file: `${here}/theirs/sub/secret`, uid: stranger, overwrite: true, mode: '0666' },
          'three.logging': { file: `${here}/theirs/sub/made/x.log`, uid: stranger },
          'console.logging': { selector: '*.info', stdout: true, format: 'plain' },
        }),
      },
    });
    await system.waitForLine(/^attacked$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const [folder, secret] = [statSync(system.path('roots')), statSync(system.path('roots/secret'))];
    expect(readdirSync(system.path('roots'))).toEqual(['secret']);
    expect(readFileSync(system.path('roots/secret'), 'utf8')).toBe('precious\n');
    expect([folder.uid, folder.gid, folder.mode & 0o7777]).toEqual([0, 0, 0o755]);
    expect([secret.uid, secret.gid, secret.mode & 0o7777]).toEqual([0, 0, 0o644]);
    // The race took place.
    expect(system.lines('stdout').join('\n')).toMatch(
      /FOREIGN_(LINK|FILE|HARD_LINK)|symbolic link that another account/,
    );
  },
  120_000,
);
