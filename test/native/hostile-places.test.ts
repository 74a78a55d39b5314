import { spawnSync } from 'node:child_process';
import { arch } from 'node:process';
import { describe, expect, it } from 'vitest';
import { compile, sanitizers, sourcesOfBody } from './puppet.ts';
import { liveThrough } from './scenario.ts';

const hasValgrind = spawnSync('valgrind', ['--version']).status === 0;
const numbers = { pidfd_open: 434, close_range: 436, clone3: 435, memfd_create: 319, statx: 332 };
const errors = { ENOSYS: 38, EPERM: 1 };

describe('the body', () => {
  it.runIf(arch === 'x64').each(Object.entries(errors))(
    'lives under a filter of calls that answers %s',
    async (_, errno) => {
      const forbid = compile('forbid', ['test/native/forbid.c']);
      await liveThrough({ wrapper: [forbid, String(errno), ...Object.values(numbers).map(String), '--'] });
    },
  );

  it('lives where nothing is forbidden', async () => {
    await liveThrough({});
  });

  it('gives the sanitizers nothing to report', async () => {
    const program = compile('sanitized', sourcesOfBody(), sanitizers);
    const { stderr } = await liveThrough({ program, environment: { ASAN_OPTIONS: 'detect_leaks=0' } });
    expect(stderr).not.toMatch(/Sanitizer|runtime error/);
  });

  it.runIf(hasValgrind)('gives valgrind nothing to report', async () => {
    const program = compile('checked', sourcesOfBody(), ['-O1', '-g', '-Idist']);
    const wrapper = ['valgrind', '--quiet', '--trace-children=no', '--child-silent-after-fork=yes'];
    const { stderr } = await liveThrough({ program, wrapper });
    expect(stderr).not.toContain('==');
  });
});
