// Writes an image for several processors as an OCI image layout in one tar: https://github.com/opencontainers/image-spec
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const media = (name) => `application/vnd.oci.image.${name}`;
const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** @param images the tar of the one layer of each, with its architecture; @param epoch Unix seconds; @param level of gzip, 1 to 9 */
export function writeOciImage({ out, work, version, epoch, images, level }) {
  const layout = join(work, 'oci');
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const blob = (mediaType, bytes) => {
    const digest = sha256(bytes);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const json = (mediaType, value) => blob(mediaType, Buffer.from(JSON.stringify(value)));
  const created = new Date(Number(epoch) * 1000).toISOString();
  const manifests = images.map(({ tar, architecture }) => {
    const bytes = readFileSync(tar);
    const layer = blob(media('layer.v1.tar+gzip'), gzipSync(bytes, { level }));
    const config = json(media('config.v1+json'), {
      created,
      architecture,
      os: 'linux',
      config: {
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
        Entrypoint: ['/usr/local/bin/chaperone'],
        StopSignal: 'SIGTERM',
        Labels: { 'org.opencontainers.image.title': 'chaperone', 'org.opencontainers.image.version': version },
      },
      rootfs: { type: 'layers', diff_ids: [sha256(bytes)] },
      history: [{ created, created_by: `ADD ${tar.slice(tar.lastIndexOf('/') + 1)}.xz /` }],
    });
    const manifest = { schemaVersion: 2, mediaType: media('manifest.v1+json'), config, layers: [layer] };
    return { ...json(manifest.mediaType, manifest), platform: { architecture, os: 'linux' } };
  });
  // Tools that take one name for one image find the processors behind it.
  const index = json(media('index.v1+json'), { schemaVersion: 2, mediaType: media('index.v1+json'), manifests });
  const annotations = { 'org.opencontainers.image.ref.name': version };
  const top = { schemaVersion: 2, mediaType: media('index.v1+json'), manifests: [{ ...index, annotations }] };
  writeFileSync(join(layout, 'index.json'), JSON.stringify(top));
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  const same = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
  execFileSync('tar', [...same, '--format=gnu', '-C', layout, '-cf', join(out, `chaperone-${version}-oci.tar`), '.']);
}
