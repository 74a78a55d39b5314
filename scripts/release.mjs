// `npm run release`: makes everything that a version is published as, in release/, on Debian for x86-64. Two runs on one commit with the
// same packages of Debian make the same bytes.
//
//   node scripts/release.mjs [OUT]
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeFolder } from './folder.mjs';
import { compileNative } from './native-parts.mjs';
import { nodePackage, nodeVersions } from './node-packages.mjs';
import { writeOciImage } from './oci-image.mjs';
import { billOfMaterials, writeLicences } from './release-contents.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = resolve(process.argv[2] ?? join(root, 'release'));
const work = `${out}.work`;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { version } = manifest;
/** The Node that the folder brings. */
const major = 22;

/** Of xz(1): 6 makes 31 MB of what 2 makes 36 MB of, in the threefold time; higher ones gain nothing. */
const level = process.env.RELEASE_LEVEL ?? '6';

/** By the name that Node has for the processor. */
const targets = {
  x64: {
    architecture: 'amd64',
    gcc: 'gcc',
    gpp: 'g++',
    strip: 'strip',
    libraries: ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu'],
    emulator: [],
    debian: { glibc: 'libc6', gcc: 'libstdc++6' },
  },
  arm64: {
    architecture: 'arm64',
    gcc: 'aarch64-linux-gnu-gcc',
    gpp: 'aarch64-linux-gnu-g++',
    strip: 'aarch64-linux-gnu-strip',
    libraries: ['/usr/aarch64-linux-gnu/lib'],
    emulator: ['qemu-aarch64-static'],
    debian: { glibc: 'libc6-arm64-cross', gcc: 'libstdc++6-arm64-cross' },
  },
};

const run = (command, args, options = {}) =>
  execFileSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, ...options }).trim();

/** Unix seconds of everything: that of the commit, unless it is told. */
const epoch = process.env.SOURCE_DATE_EPOCH ?? run('git', ['log', '-1', '--format=%ct']);

function timed(what, step) {
  const begun = Date.now();
  const done = step();
  process.stderr.write(`release: ${what}: ${((Date.now() - begun) / 1000).toFixed(1)} s\n`);
  return done;
}

/**
 * Packs a folder that stands for the root directory, and compresses it. Without a filter for machine code, which saves a thirtieth
 * more but which not every engine that unpacks the file knows.
 */
function pack(folder, name) {
  const tar = join(work, `${name}.tar`);
  const owners = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
  run('tar', ['--sort=name', `--mtime=@${epoch}`, '--format=gnu', ...owners, '-C', folder, '-cf', tar, 'usr']);
  // Two threads with blocks of one size: the number of processors changes nothing.
  run('xz', ['--threads=2', '--block-size=32MiB', `-${level}`, '--keep', tar]);
  renameSync(`${tar}.xz`, join(out, `${name}.tar.xz`));
  return tar;
}

/** The package for npm: with the native parts, and without the libraries that are in the bundles. */
function packForNpm(natives) {
  const stage = join(work, 'npm');
  const { dependencies, devDependencies: _, allowScripts: __, ...published } = manifest;
  const bundles = readdirSync(join(root, 'dist')).filter((name) => name.endsWith('.cjs') || name === 'words.h');
  const files = [...manifest.files.filter((name) => !name.startsWith('dist/')), 'prebuilds', 'licences'];
  files.push(
    ...['inspect-page', 'parts/*.cjs', 'parts/*.map', 'main.cjs.map', ...bundles].map((name) => `dist/${name}`),
  );
  for (const name of [
    'completions',
    'docs',
    'config',
    'native',
    'scripts',
    'binding.gyp',
    'CHANGELOG.md',
    'README.md',
    'LICENSE',
    'dist',
  ]) {
    cpSync(join(root, name), join(stage, name), { recursive: true });
  }
  for (const [processor, folder] of Object.entries(natives)) {
    cpSync(folder, join(stage, 'prebuilds', `linux-${processor}`), { recursive: true });
  }
  writeLicences(join(stage, 'licences'), {});
  // Built only where no addon fits, which needs a compiler; npm goes on without it.
  const optionalDependencies = { 'unix-dgram': dependencies['unix-dgram'] };
  const scripts = { install: manifest.scripts.install };
  writeFileSync(
    join(stage, 'package.json'),
    `${JSON.stringify({ ...published, files, scripts, optionalDependencies }, undefined, 2)}\n`,
  );
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], { cwd: stage });
}

/** Makes the folders of one processor, with Node and without. */
async function makeTarget([processor, target]) {
  const natives = join(work, 'natives', processor);
  await compileNative(target, natives);
  const node = await nodePackage(processor, major);
  const name = `chaperone-${version}-linux-${processor}`;
  const { strip, libraries, emulator, debian } = target;
  const full = join(work, name);
  makeFolder({
    out: join(full, 'usr/local'),
    natives,
    node: { file: join(node, 'bin/node'), strip, libraries, emulator },
  });
  writeLicences(join(full, 'usr/local/lib/chaperone/licences'), { node, debian });
  const slim = join(work, `${name}-slim`);
  makeFolder({ out: join(slim, 'usr/local'), natives });
  writeLicences(join(slim, 'usr/local/lib/chaperone/licences'), {});
  const tar = timed(`${name}.tar.xz`, () => pack(full, name));
  timed(`${name}-slim.tar.xz`, () => pack(slim, `${name}-slim`));
  return { processor, natives, image: { tar, architecture: target.architecture } };
}

rmSync(out, { recursive: true, force: true });
rmSync(work, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
mkdirSync(work);
timed('build', () => run(process.execPath, ['scripts/build.mjs']));
const made = [];
for (const target of Object.entries(targets)) made.push(await makeTarget(target));
timed('npm', () => packForNpm(Object.fromEntries(made.map(({ processor, natives }) => [processor, natives]))));
timed('OCI image', () =>
  writeOciImage({
    out,
    work,
    version,
    epoch,
    images: made.map(({ image }) => image),
    level: Math.max(1, Number(level)),
  }),
);
writeFileSync(
  join(out, `chaperone-${version}.cdx.json`),
  billOfMaterials({
    version,
    epoch,
    node: nodeVersions[major].version,
    debian: Object.values(targets).map(({ debian }) => debian),
  }),
);
writeFileSync(join(out, 'Dockerfile'), dockerfile());
const sums = readdirSync(out)
  .sort()
  .map(
    (name) =>
      `${createHash('sha256')
        .update(readFileSync(join(out, name)))
        .digest('hex')}  ${name}\n`,
  );
writeFileSync(join(out, 'SHA256SUMS'), sums.join(''));
rmSync(work, { recursive: true });
process.stdout.write(run('ls', ['-l', out]).concat('\n'));

/** An image of the tars beside it, for either processor. BuildKit sets TARGETARCH by `--platform`. */
function dockerfile() {
  const stage = ([processor, { architecture }]) =>
    `FROM --platform=linux/${architecture} scratch AS chaperone-${architecture}\nADD chaperone-${version}-linux-${processor}.tar.xz /\n`;
  return `# docker build --platform linux/arm64 -t chaperone .
# A builder older than BuildKit sets no TARGETARCH, and takes one processor's stage for the other's from its cache: beside --platform it
# needs --no-cache --build-arg TARGETARCH=arm64.
ARG TARGETARCH=amd64

${Object.entries(targets).map(stage).join('\n')}
FROM chaperone-\${TARGETARCH}
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/chaperone"]
`;
}
