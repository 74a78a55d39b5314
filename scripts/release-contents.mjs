// What is inside of a release: the licences of everything, and a list of it in the format of CycloneDX.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundled = () => JSON.parse(readFileSync(join(root, 'dist/bundled.json'), 'utf8'));

/** Packages that carry no text of their own: by the licence that their package.json names. */
const texts = {
  'fn.name': 'MIT',
  elkjs: 'EPL-2.0 OR GPL-3.0-or-later; the source is at https://github.com/kieler/elkjs',
};

/** Packages whose headers alone are compiled in. */
const compiledIn = ['nan'];

/**
 * Writes the licences of Chaperone, of the npm packages in the bundles, and where they are inside, of Node and the C libraries.
 *
 * @param node the folder of Node's package
 * @param debian the names of Debian's packages for glibc and for the runtime of gcc
 */
export function writeLicences(folder, { node, debian }) {
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(root, 'LICENSE'), join(folder, 'chaperone.txt'));
  const packages = [...bundled(), ...compiledIn].map((name) => `${name}\n\n${licenceOf(name).trim()}\n`);
  writeFileSync(join(folder, 'npm-packages.txt'), packages.join(`\n${'-'.repeat(80)}\n\n`));
  if (node !== undefined) copyFileSync(join(node, 'LICENSE'), join(folder, 'node.txt'));
  for (const [name, from] of Object.entries(debian ?? {})) {
    copyFileSync(`/usr/share/doc/${from}/copyright`, join(folder, `${name}.txt`));
  }
}

function licenceOf(name) {
  const folder = join(root, 'node_modules', name);
  const { license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file));
  if (files.length > 0) return files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  if (license === undefined && texts[name] === undefined) throw new Error(`${name} names no licence`);
  return `Licence: ${texts[name] ?? license}`;
}

/** The components of npm as npm knows them, and what Node's folder holds beside them; the same for the same release. */
export function billOfMaterials({ version, epoch, node, debian }) {
  const text = execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const bill = JSON.parse(text);
  const names = new Set([...bundled(), ...compiledIn]);
  const components = bill.components.filter(({ name }) => names.has(name));
  const missing = [...names].filter((name) => !components.some((each) => each.name === name));
  if (missing.length > 0) throw new Error(`npm does not list ${missing.join(', ')}`);
  const others = [
    {
      ...platform('node', node, `pkg:generic/node@${node}`, 'MIT'),
      pedigree: { notes: 'stripped; of the data of ICU, what other languages than English need is left out' },
    },
    ...[...new Set(debian.flatMap(({ glibc, gcc }) => [glibc, gcc]))].map((name) => {
      const installed = installedVersion(name);
      return platform(name, installed, `pkg:deb/debian/${name}@${encodeURIComponent(installed)}`, undefined);
    }),
  ];
  const { component } = bill.metadata;
  const made = {
    ...bill,
    serialNumber: undefined,
    metadata: {
      ...bill.metadata,
      timestamp: new Date(Number(epoch) * 1000).toISOString(),
      component: { ...component, type: 'application', name: 'chaperone', version },
    },
    components: [...components, ...others],
    dependencies: [{ ref: component['bom-ref'], dependsOn: [...components, ...others].map((each) => each['bom-ref']) }],
  };
  const digest = createHash('sha256').update(JSON.stringify(made)).digest('hex');
  const uuid = digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-8$4-$5');
  return `${JSON.stringify({ ...made, serialNumber: `urn:uuid:${uuid}` }, undefined, 2)}\n`;
}

function platform(name, version, purl, licence) {
  const licenses = licence === undefined ? {} : { licenses: [{ license: { id: licence } }] };
  return { 'bom-ref': `${name}@${version}`, type: 'library', name, version, purl, ...licenses };
}

function installedVersion(name) {
  const listed = execFileSync('dpkg', ['--status', name], { encoding: 'utf8' });
  return /^Version: (.+)$/m.exec(listed)?.[1] ?? '';
}
