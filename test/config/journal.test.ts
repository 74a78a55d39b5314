import { describe, expect, it } from 'vitest';
import { parseSize } from '../../src/config/values.ts';
import { errorsOf, loadFiles, specOf } from './loading.ts';

const service = 'a.service: { command: "true" }\n';

describe('inspect in the settings', () => {
  it('is a journal of 16 MiB without log records, and none where no file is named', () => {
    expect(specOf(service).journal).toEqual({ maxSize: 16 * 1024 ** 2, records: false });
  });

  it('names the file, its size, and whether log records stand in it', () => {
    const text = `settings: { inspect: { journal: "$(DIR)/boots", max_size: 1M, records: yes } }\n${service}`;
    expect(specOf(text, { environment: { DIR: '/data' } }).journal).toEqual({
      path: '/data/boots',
      maxSize: 1024 ** 2,
      records: true,
    });
  });

  it('is merged over the files, key by key', () => {
    const { spec } = loadFiles({
      '1.conf': 'settings: { inspect: { journal: /a, records: yes } }\n',
      '2.conf': `settings: { inspect: { journal: /b, max_size: 256K } }\n${service}`,
    });
    expect(spec?.journal).toEqual({ path: '/b', maxSize: 262144, records: true });
  });

  it('records nothing where the name expands to nothing', () => {
    expect(specOf(`settings: { inspect: { journal: "$(NONE:-)" } }\n${service}`).journal.path).toBeUndefined();
  });

  it.each([
    ['journal: here', 'x.conf:3:14: journal of inspect is "here"', 'expected an absolute path'],
    ['max_size: 16T', 'x.conf:3:15: max_size of inspect is no size: "16T"', 'expected a size from 256K to 64G'],
    ['max_size: 1K', 'x.conf:3:15: max_size of inspect is out of range: "1K"', 'expected a size from 256K to 64G'],
    ['jornal: /x', 'x.conf:3:5: unknown key "jornal" in inspect', 'did you mean "journal"?'],
    ['records: 2', 'x.conf:3:14: records of inspect is neither true nor false', 'expected true or false'],
  ])('says where a mistake is: %s', (line, message, hint) => {
    const errors = errorsOf(`settings:\n  inspect:\n    ${line}\n${service}`);
    expect(errors).toContain(message);
    expect(errors).toContain(hint);
  });

  it('is no text and no list', () => {
    expect(errorsOf(`settings: { inspect: /x }\n${service}`)).toContain('inspect is "/x" and not a map of directives');
  });
});

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['65536', 65536],
    ['64k', 65536],
    ['3M', 3 * 1024 ** 2],
    ['1G', 1024 ** 3],
    ['0x10K', 16384],
    ['K', undefined],
    ['', undefined],
    ['1.5M', undefined],
    ['16 M', undefined],
    ['16MB', undefined],
  ])('%s', (text, bytes) => {
    expect(parseSize(text, true)).toBe(bytes);
  });
});
