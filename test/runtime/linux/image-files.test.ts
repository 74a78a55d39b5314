import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageConventions } from '../../../src/config/convention-places.ts';
import { createReport } from '../../../src/config/report.ts';
import { readSections } from '../../../src/config/validate.ts';
import { imageConventions } from '../../../src/runtime/linux/image-files.ts';

let root = '';
let services = '';
let image: ImageConventions = imageConventions({});

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'image-'));
  services = join(root, 'service');
  mkdirSync(services);
  image = imageConventions({});
});

afterEach(() => rmSync(root, { recursive: true }));

function add(name: string, mode = 0o755): void {
  const folder = join(services, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run'), '#!/bin/sh\n', { mode });
}

/** Takes the time of the last change so far away that none can follow within the same tick. */
function settle(): void {
  utimesSync(services, 1_000_000_000, 1_000_000_000);
}

function read(): readonly string[] {
  const report = createReport();
  const found = image.read?.([{ name: 'runit', paths: [services] }], report);
  return readSections(found?.roots ?? [], report).flatMap(({ kind, name }) => (kind === 'service' ? [name] : []));
}

describe('the folders of services of an image', () => {
  it('are read once, and anew where they have come or gone', () => {
    add('a');
    add('b');
    settle();
    expect(read()).toEqual(['a.service', 'b.service']);
    expect(image.refresh?.()).toBe(false);
    add('c');
    rmSync(join(services, 'a'), { recursive: true });
    expect(read()).toEqual(['a.service', 'b.service']);
    expect(image.refresh?.()).toBe(true);
    expect(read()).toEqual(['b.service', 'c.service']);
    expect(image.refresh?.()).toBe(false);
  });

  it('are what they were, whatever has changed in them', () => {
    add('a');
    read();
    writeFileSync(join(services, 'a', 'down'), '');
    mkdirSync(join(services, 'a', 'log'));
    expect(image.refresh?.()).toBe(false);
    add('b');
    expect(image.refresh?.()).toBe(true);
    const report = createReport();
    const found = image.read?.([{ name: 'runit', paths: [services] }], report);
    const a = readSections(found?.roots ?? [], report).find(({ name }) => name === 'a.service');
    expect(a?.values.has('enabled')).toBe(false);
  });

  it('count once their program is there, and may be executed', () => {
    mkdirSync(join(services, 'a'));
    expect(read()).toEqual([]);
    settle();
    expect(image.refresh?.()).toBe(false);
    writeFileSync(join(services, 'a', 'run'), '#!/bin/sh\n', { mode: 0o644 });
    expect(image.refresh?.()).toBe(false);
    chmodSync(join(services, 'a', 'run'), 0o755);
    expect(image.refresh?.()).toBe(true);
    expect(read()).toEqual(['a.service']);
    expect(image.refresh?.()).toBe(false);
  });

  it('are others where a link leads somewhere else', () => {
    for (const name of ['one', 'two']) {
      mkdirSync(join(root, name));
      writeFileSync(join(root, name, 'run'), '#!/bin/sh\n', { mode: 0o755 });
    }
    symlinkSync(join(root, 'one'), join(services, 'a'));
    expect(read()).toEqual(['a.service']);
    expect(image.refresh?.()).toBe(false);
    symlinkSync(join(root, 'two'), join(root, 'next'));
    renameSync(join(root, 'next'), join(services, 'a'));
    expect(image.refresh?.()).toBe(true);
    symlinkSync('loop', join(services, 'loop'));
    expect(image.refresh?.()).toBe(true);
    expect(read()).toEqual(['a.service']);
    rmSync(services, { recursive: true });
    expect(image.refresh?.()).toBe(true);
    expect(read()).toEqual([]);
    mkdirSync(services);
    add('b');
    expect(image.refresh?.()).toBe(true);
    expect(read()).toEqual(['b.service']);
  });

  it('may be ten thousand', () => {
    // Links, as in Debian's /etc/sv, are made faster than folders.
    mkdirSync(join(root, 'sv'));
    writeFileSync(join(root, 'sv/run'), '#!/bin/sh\n', { mode: 0o755 });
    for (let index = 0; index < 10_000; index += 1) symlinkSync('../sv', join(services, `s${index}`));
    expect(read()).toHaveLength(10_000);
    add('one-more');
    expect(image.refresh?.()).toBe(true);
    expect(read()).toHaveLength(10_001);
  });
});
