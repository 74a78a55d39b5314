/** What nobody means to write, and what people write by mistake: each ends with a message, in bounded time and memory. */
import { describe, expect, it } from 'vitest';
import { loadConfiguration, readPlaces } from '../../src/config/load.ts';
import type { ConfigReader } from '../../src/config/reader.ts';
import { renderErrors } from '../../src/config/render-diagnostics.ts';
import { ownTime } from '../cpu-time.ts';
import { accounts, errorsOf, loadFiles, loadText } from './loading.ts';

const mebibyte = 1024 * 1024;

/** ms of computing that the quickest of a few runs takes: what else the machine does only ever adds. */
function quickest(runs: number, work: () => unknown): number {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run += 1) {
    const start = ownTime();
    work();
    best = Math.min(best, ownTime() - start);
  }
  return best;
}

describe('an empty file', () => {
  it.each([
    '',
    ' \n\n',
    '# only a comment\n',
    '---\n',
    '\ufeff',
    '---\n---\n...\n',
    '~',
    '{}',
    '[]',
  ])('is no mistake, it only holds nothing: %j', (text) => {
    const { spec, diagnostics } = loadText(text);
    expect(diagnostics).toEqual([]);
    expect(spec?.services).toEqual([]);
  });
});

describe('a binary file', () => {
  it('is told by its first byte that is no text', () => {
    const elf = '\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0';
    expect(errorsOf(elf)).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:8: this is not a text file: it holds a NUL byte [not-text]
          1 | ␡ELF␂␁␁␀␀␀␀␀␀␀␀␀␃␀>␀␁␀␀␀
            |        ^ expected YAML text in UTF-8
      "
    `);
    // As a decoder gives it: bytes that are no UTF-8 are U+FFFD.
    expect(errorsOf('\ufffd\ufffd\x1f\x08 gzip')).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:1: this is not a text file: it holds bytes that are not UTF-8 [not-text]
          1 | ��␟␈ gzip
            | ^ expected YAML text in UTF-8
      "
    `);
    expect(errorsOf('a.service: { command: "\u0007bell" }')).toBe('');
  });
});

describe('five megabytes', () => {
  it('of services and variables are a configuration', () => {
    const services = Array.from(
      { length: 1_000 },
      (_, index) => `s${index}.service: { command: "sleep ${index}", env_set: { TEXT: "${'y'.repeat(5_000)}" } }\n`,
    ).join('');
    expect(services.length).toBeGreaterThan(5_000_000);
    const { spec, diagnostics } = loadText(services);
    expect(diagnostics).toEqual([]);
    expect(spec?.services).toHaveLength(1_000);
  });

  it.each([
    ['one word', 'x'.repeat(5_000_000), 'this file holds text and no sections'],
    [
      'a quote that is never closed',
      `a.service: { command: "${'y '.repeat(2_500_000)}`,
      'this quoted text is never closed',
    ],
    ['brackets', '{'.repeat(5_000_000), 'values are nested more than 100 deep'],
    ['keys in one line', 'a: b: '.repeat(830_000), 'values are nested more than 100 deep'],
    ['tabs', `\t${'\t'.repeat(600_000)}x`, 'this file holds text and no sections'],
    ['zeros', '\0'.repeat(5_000_000), 'this is not a text file: it holds a NUL byte'],
  ])('of %s are one mistake, and a short message', (_, text, message) => {
    const report = errorsOf(text);
    expect(report).toContain('chaperone: 1 mistake in the configuration');
    expect(report).toContain(message);
    expect(report.length).toBeLessThan(1_000);
  });
});

describe('ten thousand services', () => {
  const services = (count: number, line: (index: number) => string): string =>
    Array.from(
      { length: count },
      (_, index) => `s${index}.service: { command: "sleep ${index}"${line(index)} }\n`,
    ).join('');

  it.each([
    ['on their own', () => ''],
    ['in one chain', (index: number) => (index === 0 ? '' : `, after: s${index - 1}.service`)],
    ['in a few groups', (index: number) => `, service_groups: "g${index % 10}", env_set: { N: "$(A:-${index})" }`],
    [
      'before INIT and IDLE',
      (index: number) => (index % 3 === 0 ? `, service_groups: ${index % 2 === 0 ? 'INIT' : 'IDLE'}` : ''),
    ],
  ])('%s take ten times as long as a thousand, and not a hundred times', (_, line) => {
    const [thousand, tenThousand] = [services(1_000, line), services(10_000, line)];
    const short = quickest(3, () => expect(loadText(thousand).spec?.services).toHaveLength(1_000));
    const long = quickest(1, () => expect(loadText(tenThousand).spec?.services).toHaveLength(10_000));
    expect(long / short).toBeLessThan(40);
  });

  it('that wait for each other are one mistake', () => {
    const circle = services(10_000, (index) => `, after: s${(index + 1) % 10_000}.service`);
    const report = errorsOf(circle);
    expect(report).toContain('chaperone: 1 mistake in the configuration');
    expect(report).toMatch(/waits for itself: s\d+ → s\d+ → .*…/);
    expect(report.length).toBeLessThan(1_000);
  });
});

/** Nine lines that stand for a billion values. */
function bomb(first: string, level: (name: string, below: string) => string): string {
  const names = [...'abcdefghi'];
  return names.map((name, index) => (index === 0 ? first : level(name, names[index - 1] ?? ''))).join('');
}

describe('an alias bomb', () => {
  const tenTimes = (text: string) => Array.from({ length: 10 }, () => text).join(', ');
  const lists = bomb(
    'a: &a [x, x, x, x, x, x, x, x, x, x]\n',
    (name, below) => `${name}: &${name} [${tenTimes(`*${below}`)}]\n`,
  );
  const maps = bomb('a: &a { k: v }\n', (name, below) => {
    const entries = Array.from({ length: 10 }, (_, index) => `${name}${index}: *${below}`).join(', ');
    return `${name}: &${name} { ${entries} }\n`;
  });
  const merges = bomb(
    'a: &a { k: v, l: v, m: v, n: v, o: v, p: v, q: v, r: v, s: v, t: v }\n',
    (name, below) => `${name}: &${name} { <<: [${tenTimes(`*${below}`)}] }\n`,
  );

  it.each([
    ['of lists', lists],
    ['of maps', maps],
    ['of merge keys', merges],
  ])('%s is a mistake within a second, in little memory', (_, text) => {
    const before = process.memoryUsage().heapUsed;
    let report = '';
    const time = quickest(2, () => {
      report = errorsOf(text);
    });
    expect(report).toMatch(/x\.conf:\d+:\d+: the aliases up to "\*\w" stand for more than 1000000 values/);
    expect(time).toBeLessThan(1_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(128 * mebibyte);
  });

  it('shows where it goes too far', () => {
    expect(errorsOf(lists)).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:6:36: the aliases up to "*e" stand for more than 1000000 values [too-many-aliases]
          6 | f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
            |                                    ^^ expected fewer aliases of aliases
      "
    `);
  });

  it('made of variables is a mistake, too', () => {
    const variables = Array.from({ length: 40 }, (_, index) => `V${index + 1}: "$(V${index})$(V${index})"`).join(', ');
    const before = process.memoryUsage().heapUsed;
    const time = quickest(2, () =>
      expect(errorsOf(`a.service: { command: x, env_set: { V0: boom, ${variables} } }\n`)).toContain(
        'cannot be expanded',
      ),
    );
    expect(time).toBeLessThan(1_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(256 * mebibyte);
  });
});

describe('deep nesting', () => {
  it.each([
    ['flow lists', `a.service: { command: ${'['.repeat(200)}${']'.repeat(200)} }`],
    ['flow maps', '{a: '.repeat(200) + '}'.repeat(200)],
    ['block maps', Array.from({ length: 200 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['block lists', `${'- '.repeat(200)}x`],
  ])('of %s is one mistake', (_, text) => {
    const { spec, diagnostics } = loadText(text);
    expect(spec).toBeUndefined();
    expect(diagnostics.map(({ message }) => message)).toEqual(['values are nested more than 100 deep']);
  });

  it('of forms in text ends, too', () => {
    for (const form of ['$(A:-', `\${A:-`, '$(A:+']) {
      const text = `a.service: { command: "x ${form.repeat(20_000)}" }`;
      expect(loadText(text).diagnostics.length).toBeLessThanOrEqual(1);
    }
    const closed = `$(A:-`.repeat(5_000) + ')'.repeat(5_000);
    expect(loadText(`a.service: { command: "x ${closed}" }`).diagnostics.length).toBeLessThanOrEqual(1);
  });
});

describe('what cannot be read', () => {
  it('is a directory that may not be listed', () => {
    expect(renderErrors(loadFiles({ '': { error: 'EACCES' } }).diagnostics)).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      cannot read the directory "chaperone.d": permission denied (EACCES) [unreadable]
      "
    `);
  });

  it('is a file, while the others are checked all the same', () => {
    expect(
      renderErrors(
        loadFiles({ '1.conf': { error: 'EIO' }, '2.conf': 'a.service: { comand: x, after: b.service }' }).diagnostics,
      ),
    ).toMatchInlineSnapshot(`
      "chaperone: 2 mistakes in the configuration, nothing was started

      cannot read the file "chaperone.d/1.conf": input/output error (EIO) [unreadable]

      chaperone.d/2.conf:1:14: unknown key "comand" in a.service [unknown-key]
          1 | a.service: { comand: x, after: b.service }
            |              ^^^^^^ did you mean "command"?
      "
    `);
  });
});

describe('a file that changes while it is read', () => {
  const versions = [
    'a.service: { command: "one" }\n',
    '\n\n\na.service: { command: "two", after: }\nb.service: { command: "two" }\n',
    'a.service: { comm',
    '',
    '\0',
  ];

  /** Another version at every reading. */
  function fickle(order: readonly number[]): ConfigReader {
    let reading = 0;
    return {
      stat: () => 'file',
      list: () => [],
      read: () => versions[order[reading++ % order.length] ?? 0] ?? '',
    };
  }

  it('is one version or the other, and never a mixture', () => {
    for (const [first, second] of [
      [0, 1],
      [1, 0],
      [0, 2],
      [1, 4],
      [2, 1],
      [3, 0],
    ] as const) {
      const load = (order: readonly number[]) =>
        loadConfiguration('/x.conf', { reader: fickle(order), environment: {}, accounts, interactive: false });
      expect(load([first, second])).toEqual(load([first]));
      // Where a check looks for places afterwards: they may be others, but they are places of that text.
      const reader = fickle([first, second]);
      loadConfiguration('/x.conf', { reader, environment: {}, accounts, interactive: false });
      const place = readPlaces('/x.conf', { reader }).directive('a.service', 'command');
      const position = place?.source.position(place.start, place.end);
      expect(position?.line).toBe([1, 4, undefined, undefined, undefined][second]);
    }
  });

  it('may be gone, or another thing, when it is opened', () => {
    const gone = (code: string): ConfigReader => ({
      stat: (path) => (path === '/d' ? 'directory' : 'file'),
      list: () => ['x.conf'],
      read: () => {
        throw Object.assign(new Error(code), { code });
      },
    });
    const load = (code: string) =>
      renderErrors(
        loadConfiguration('/d', { reader: gone(code), environment: {}, accounts, interactive: false }).diagnostics,
      ).split('\n')[2];
    expect(load('ENOENT')).toBe('cannot read the file "/d/x.conf": it does not exist (ENOENT) [unreadable]');
    expect(load('EISDIR')).toBe('cannot read the file "/d/x.conf": it is a directory (EISDIR) [unreadable]');
    expect(load('ELOOP')).toBe('cannot read the file "/d/x.conf": too many symbolic links (ELOOP) [unreadable]');
    expect(load('EFBIG')).toBe('cannot read the file "/d/x.conf": it is larger than 16 MiB (EFBIG) [unreadable]');
  });
});

describe('values that cannot be', () => {
  it.each(['-1', '4294967295', '4294967296', '1.5', '0x0', '"- 1"'])('uid %s', (uid) => {
    const report = errorsOf(`a.service: { command: x, uid: ${uid} }`);
    expect(report).toContain('chaperone: 1 mistake');
    expect(report).toContain('uid of a.service is no user of this system');
  });

  it('uid -1, as it is shown', () => {
    expect(errorsOf('a.service:\n  command: x\n  uid: -1\n')).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:3:8: uid of a.service is no user of this system: "-1" [unknown-user]
          3 |   uid: -1
            |        ^^ expected a user name or a number
      "
    `);
  });

  it('port 65536', () => {
    expect(
      errorsOf(
        'a.service:\n  type: inetd\n  command: x\n  port: 65536\nb.service: { type: inetd, command: x, port: "$(P:-0)" }\n',
      ),
    ).toMatchInlineSnapshot(`
      "chaperone: 2 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:4:9: port of a.service is out of range: "65536" [out-of-range]
          4 |   port: 65536
            |         ^^^^^ expected a whole number from 1 to 65535

      chaperone.d/x.conf:5:45: port of b.service is out of range: "0" [out-of-range]
          5 | b.service: { type: inetd, command: x, port: "$(P:-0)" }
            |                                             ^^^^^^^^^ expected a whole number from 1 to 65535
      "
    `);
  });

  it('an interval with six mistakes: six messages, each at its place', () => {
    const text = 'a.service:\n  type: cron\n  command: x\n  interval: "61 24 32 13 8 60"\n';
    const { diagnostics } = loadText(text);
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    expect(errors).toHaveLength(6);
    expect(errors.map(({ position }) => position?.column)).toEqual([14, 17, 20, 23, 26, 28]);
    expect(renderErrors(diagnostics)).toMatchInlineSnapshot(`
      "chaperone: 6 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:4:14: interval of a.service: minute 61 is not from 0 to 59 [bad-schedule]
          4 |   interval: "61 24 32 13 8 60"
            |              ^^ minute, hour, day, month, day of week; a sixth field has the seconds

      chaperone.d/x.conf:4:17: interval of a.service: hour 24 is not from 0 to 23 [bad-schedule]
          4 |   interval: "61 24 32 13 8 60"
            |                 ^^

      chaperone.d/x.conf:4:20: interval of a.service: day of month 32 is not from 1 to 31 [bad-schedule]
          4 |   interval: "61 24 32 13 8 60"
            |                    ^^

      chaperone.d/x.conf:4:23: interval of a.service: month 13 is not from 1 to 12 [bad-schedule]
          4 |   interval: "61 24 32 13 8 60"
            |                       ^^

      chaperone.d/x.conf:4:26: interval of a.service: day of week 8 is not from 0 to 7 [bad-schedule]
          4 |   interval: "61 24 32 13 8 60"
            |                          ^

      chaperone.d/x.conf:4:28: interval of a.service: second 60 is not from 0 to 59 [bad-schedule]
          4 |   interval: "61 24 32 13 8 60"
            |                            ^^
      "
    `);
  });

  it('a :? that is not met', () => {
    expect(
      errorsOf(
        'a.service:\n  command: "serve $(ROOT:?where is the root?)"\n  env_set:\n    KEY: "$(SECRET:?set it with docker run --env)"\n',
      ),
    ).toMatchInlineSnapshot(`
      "chaperone: 2 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:2:12: command of a.service cannot be expanded: where is the root? [required-variable]
          2 |   command: "serve $(ROOT:?where is the root?)"
            |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected the variable to be set

      chaperone.d/x.conf:4:10: KEY in env_set of a.service cannot be expanded: set it with docker run --env [required-variable]
          4 |     KEY: "$(SECRET:?set it with docker run --env)"
            |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected the variable to be set
      "
    `);
    expect(errorsOf('a.service: { command: "serve $(ROOT:?no)", enabled: false }')).toBe('');
  });
});

describe('more mistakes than anybody reads', () => {
  it('are counted, and the first ones shown', () => {
    const text = Array.from({ length: 2_000 }, (_, index) => `a${index}.service: { command: x, comand: x }\n`).join('');
    const shown = errorsOf(text);
    expect(shown).toMatch(/^chaperone: 2000 mistakes in the configuration, nothing was started\n/);
    expect(shown).toContain('and 1500 more mistakes that are not shown');
    expect(shown.split('did you mean')).toHaveLength(501);
  });

  it('in a line of millions of characters are shown with what stands around them', () => {
    const text = `a.service: { command: "${'x'.repeat(3_000_000)}", comand: y }\n`;
    const shown = errorsOf(text);
    expect(shown).toContain('comand: y }');
    expect(shown.length).toBeLessThan(1_000);
  });
});
