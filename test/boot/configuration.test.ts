import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boot, config } from './namespace.ts';

const marker = config({ 'marker.service': { command: 'touch $(_CHAP_CONFIG_DIR)/marker', service_groups: 'INIT' } });

/** Mistakes: the content of `20-bad.conf`, and the message about it. */
const mistakes: readonly {
  readonly title: string;
  readonly text: string;
  readonly place: string;
  readonly says: RegExp;
}[] = [
  {
    title: 'an unknown key',
    text: 'web.service: {\n  comand: "true",\n  command: "true",\n}\n',
    place: '2:3',
    says: /unknown key "comand".*web\.service/,
  },
  {
    title: 'a boolean that is none',
    text: 'web.service:\n  command: "true"\n  exit_kills: perhaps\n',
    place: '3:15',
    says: /exit_kills/,
  },
  {
    title: 'broken YAML',
    text: 'web.service: {\n  command: "true\n',
    place: '\\d+:\\d+',
    says: /./,
  },
  {
    title: 'a cycle',
    text: 'a.service: { command: "true", after: b.service }\nb.service: { command: "true", after: a.service }\n',
    place: '\\d:\\d+',
    says: /waits for itself: .* → .* → /,
  },
  { title: 'no command', text: 'web.service:\n  type: oneshot\n', place: '1:1', says: /web\.service has no command/ },
  {
    title: 'an unknown signal',
    text: 'web.service:\n  command: "true"\n  kill_signal: SIGNOPE\n',
    place: '3:16',
    says: /kill_signal/,
  },
  { title: 'a reserved name', text: '\nWEB.service:\n  command: "true"\n', place: '2:1', says: /WEB/ },
  {
    title: 'a quote that is never closed',
    text: "web.service:\n  command: echo 'never\n",
    place: '2:17',
    says: /quote in the command of web\.service is never closed/,
  },
  {
    title: 'an unknown user',
    text: 'web.service: { command: "true", uid: nobody-of-that-name }\n',
    place: '1:38',
    says: /uid of web\.service is no user of this system/,
  },
  {
    title: 'a gid without a uid',
    text: 'web.service: { command: "true", gid: 5 }\n',
    place: '1:38',
    says: /gid of web\.service is given without any uid/,
  },
  {
    title: 'a negative time',
    text: 'settings: { shutdown_timeout: -1 }\n',
    place: '1:31',
    says: /shutdown_timeout/,
  },
  {
    title: 'after: IDLE',
    text: 'web.service: { command: "true", after: IDLE }\n',
    place: '1:40',
    says: /IDLE/,
  },
];

describe('a mistake in the configuration', () => {
  it.each(mistakes)('($title) ends chaperone with 1 before anything starts', async ({ text, place, says }) => {
    const system = boot({ files: { '10-good.conf': marker, '20-bad.conf': text } });
    expect(await system.exit).toBe(1);
    const lines = system.lines('stderr');
    expect(lines[0]).toBe('chaperone: 1 mistake in the configuration, nothing was started');
    const found = lines.find((line) => new RegExp(`/20-bad\\.conf:${place}: `).test(line));
    expect(found, lines.join('\n')).toMatch(says);
    expect(lines.join('\n')).toMatch(/^ +\d+ \| .*\n +\| +\^/m);
    // The original Chaperone prints this line, and scripts look for it.
    expect(lines.at(-1)).toMatch(/^Configuration Error: \S.* \[[a-z-]+\]$/);
    expect(system.lines('stdout')).toEqual([]);
    expect(existsSync(system.path('marker'))).toBe(false);
  });

  it('does not hide the others', async () => {
    const texts = mistakes.filter(({ title }) => title !== 'broken YAML' && title !== 'a cycle');
    const files = Object.fromEntries(
      texts.map(({ text }, index) => [`${20 + index}.conf`, text.replace(/\bweb\.service/g, `web${index}.service`)]),
    );
    const system = boot({ files: { '10-good.conf': marker, ...files } });
    expect(await system.exit).toBe(1);
    const lines = system.lines('stderr');
    expect(lines[0]).toBe(`chaperone: ${texts.length} mistakes in the configuration, nothing was started`);
    for (const index of texts.keys()) {
      expect(lines.filter((line) => new RegExp(`/${20 + index}\\.conf:\\d+:\\d+: `).test(line))).toHaveLength(1);
    }
    expect(existsSync(system.path('marker'))).toBe(false);
  });
});

describe('a configuration without services', () => {
  it.each([
    { title: 'an empty directory', files: {} },
    { title: 'settings only', files: { 'x.conf': config({ settings: { idle_delay: 0 } }) } },
    { title: 'files of other kinds', files: { 'x.txt': marker } },
  ])('($title) ends chaperone with 1', async ({ files }) => {
    const system = boot({ files });
    expect(await system.exit).toBe(1);
    expect(system.lines('stderr')).toEqual([
      expect.stringMatching(/^chaperone: There are no services configured to run, nor is there a command/),
    ]);
    expect(system.lines('stdout')).toEqual([]);
  });

  it('(nothing at the path) ends chaperone with 1', async () => {
    const system = boot({ args: ['--config', '/nowhere/chaperone.d'] });
    expect(await system.exit).toBe(1);
    expect(system.lines('stderr')).toEqual([expect.stringMatching(/There are no services configured to run/)]);
  });
});

describe('a warning about the configuration', () => {
  it('does not keep the system from starting', async () => {
    const text = 'web.service:\n  command: "true"\n  after: ghost.service\n';
    const system = boot({ files: { '10-good.conf': marker, '20-warn.conf': text } });
    expect(await system.exit).toBe(0);
    expect(system.lines('stderr').join('\n')).toMatch(/\/20-warn\.conf:3:10: .*ghost\.service/);
    expect(existsSync(system.path('marker'))).toBe(true);
  });
});
