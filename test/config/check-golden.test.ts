/** Mistakes that people make, and all that `chaperonectl check` says about each: test/golden/check.txt. */
import { expect, it } from 'vitest';
import { checkSystem } from '../../src/config/check.ts';
import { loadConfiguration, readPlaces } from '../../src/config/load.ts';
import { mistakeHelp } from '../../src/config/mistake-help.ts';
import { renderErrors, renderWarnings } from '../../src/config/render-diagnostics.ts';
import { inOrder } from '../../src/config/report.ts';
import { type FakeFile, fakeProbe } from './fake-probe.ts';
import { accounts } from './loading.ts';
import { memoryReader } from './memory-reader.ts';

const script = (text: string): FakeFile => ({ text });
const files: Readonly<Record<string, FakeFile>> = {
  '/srv/serve': { text: '\x7fELF' },
  '/srv/windows.sh': script('#!/bin/sh\r\nexec sleep 1\r\n'),
  '/srv/windows-e.sh': script('#!/bin/sh -e\r\nexec sleep 1\r\n'),
  '/srv/python.sh': script('#!/usr/bin/python4\n'),
  '/srv/env.py': script('#!/bin/env python4\n'),
  '/srv/plain.sh': { text: '#!/bin/sh\n', mode: 0o644 },
  '/srv/text': script('exec sleep 1\n'),
  '/srv/empty': script(''),
};

const service = (...lines: readonly string[]): string => `web.service:\n${lines.map((line) => `  ${line}\n`).join('')}`;
const serve = 'command: /srv/serve';
const other = (name: string): string => `${name}.service:\n  ${serve}\n`;

/** Each is a folder with these files. */
const mistakes: readonly (readonly [title: string, files: Readonly<Record<string, string>>])[] = [
  ['files that are not read', { 'a.conf': other('a'), 'b.yml': '', 'c.json': '', 'd.conf.d': '', 'e.conf.off': '' }],
  ['a service without its suffix', { 'x.conf': service(serve, 'after: db') + other('db') }],
  ['a service without its suffix, misspelt', { 'x.conf': service(serve, 'before: databse') + other('database') }],
  ['a group that nobody is in, and nothing like it', { 'x.conf': service(serve, 'after: logging') + other('db') }],
  [
    'a group, misspelt',
    { 'x.conf': `${service(serve, 'after: backnds')}db.service:\n  ${serve}\n  service_groups: backends\n` },
  ],
  ['an unknown variable', { 'x.conf': service('command: /srv/serve --port $(PRT)', 'env_set:', '  PORT: 80') }],
  ['an unknown variable in env_set', { 'x.conf': service(serve, 'env_set:', `  URL: 'http://\${HOSTT}/'`) }],
  ['an unknown variable of the settings', { 'x.conf': `settings:\n  env_set: { A: $(B) }\n${service(serve)}` }],
  [
    'variables that may be missing',
    { 'x.conf': service('command: /srv/serve $(A:+--a $(A)) $(B:-1)', 'env_set:', '  LD: /x:$(LD)') },
  ],
  ['a variable that a shell reads', { 'x.conf': service(`command: sh -c 'exec sleep $(date)'`) }],
  ['a relative program', { 'x.conf': service('command: bin/serve') }],
  ['&&', { 'x.conf': service('command: /srv/serve --init && /srv/serve') }],
  ['a pipe', { 'x.conf': service('command: /srv/serve | sleep 1') }],
  ['a redirection', { 'x.conf': service('command: /srv/serve > /var/log/serve') }],
  ['2>&1', { 'x.conf': service('command: /srv/serve 2>&1') }],
  ['cd', { 'x.conf': service('command: cd /srv') }],
  ['$VAR', { 'x.conf': service('command: /srv/serve --port $PORT') }],
  ['a quoted $VAR', { 'x.conf': service('command: "/srv/serve --port $PORT"') }],
  ['&', { 'x.conf': service('command: /srv/serve &') }],
  ['a variable before the program', { 'x.conf': service('command: PORT=80 /srv/serve') }],
  ['shell syntax outside of the quotes', { 'x.conf': service(`command: sh -c 'sleep 1' && sleep 2`) }],
  ['shell syntax that a shell reads', { 'x.conf': service(`command: sh -c 'cd /srv && exec ./serve > x 2>&1 $HOME'`) }],
  ['exit_kills that cancels restart', { 'x.conf': service(serve, 'restart: true', 'exit_kills: true') }],
  [
    'directives that the type does not have',
    {
      'x.conf': service(
        serve,
        'type: cron',
        "interval: '@daily'",
        'restart: true',
        'pidfile: /run/x.pid',
        'max_connections: 3',
      ),
    },
  ],
  [
    'words of Compose',
    {
      'x.conf': service(
        serve,
        'depends_on: [db, cache]',
        'environment:',
        '  - A=1',
        '  - B=two',
        'env: { C: 3 }',
        'user: joe',
        'working_dir: /srv',
        'ports: ["80:80"]',
        'image: nginx',
      ),
    },
  ],
  ['words of Compose alone', { 'x.conf': service('entrypoint: ["/srv/serve", "two words"]') }],
  ['a file of Compose', { 'x.conf': 'services:\n  web:\n    image: nginx\nvolumes:\n  data: {}\n' }],
  [
    'words of systemd',
    {
      'x.conf': service(
        'ExecStart: /srv/serve',
        'Type: notify',
        'User: joe',
        'After: db.service network.target',
        'Restart: on-failure',
        'Environment: A=1 "B=two"',
        'WantedBy: multi-user.target',
      ),
    },
  ],
  ['a file of systemd', { 'x.conf': '# a unit\n[Unit]\nDescription=x\n[Service]\nExecStart=/srv/serve\n' }],
  [
    'words of supervisord',
    {
      'x.conf': service(
        serve,
        'autostart: true',
        'autorestart: unexpected',
        'stopsignal: QUIT',
        'stdout_logfile: /var/log/x',
      ),
    },
  ],
  ['a file of supervisord', { 'x.conf': '[program:web]\ncommand=/srv/serve\n' }],
  ['a section without its suffix', { 'x.conf': `web:\n  ${serve}\n` }],
  ['a script with Windows line ends', { 'x.conf': service('command: /srv/windows.sh') }],
  ['a script with Windows line ends behind an option', { 'x.conf': service('command: /srv/windows-e.sh') }],
  ['a missing interpreter', { 'x.conf': service('command: /srv/python.sh') }],
  ['a missing interpreter of env', { 'x.conf': service('command: /srv/env.py') }],
  ['a script with Windows line ends, given to a shell', { 'x.conf': service('command: sh -e /srv/windows.sh') }],
  ['a script that is not there, given to a shell', { 'x.conf': service('command: sh /srv/lost.sh') }],
  ['no exec bit', { 'x.conf': service('command: /srv/plain.sh') }],
  ['no #! line', { 'x.conf': service('command: /srv/text') }],
  ['an empty program', { 'x.conf': service('command: /srv/empty') }],
  ['a missing comma behind quotes', { 'x.conf': 'web.service: {\n  command: "/srv/serve"\n  type: simple\n}\n' }],
  [
    'a missing comma behind a comment',
    { 'x.conf': 'web.service: {\n  command: "/srv/serve" # serves\n\n  # simple\n  type: simple\n}\n' },
  ],
  ['a missing comma without quotes', { 'x.conf': 'web.service: {\n  command: /srv/serve\n  type: simple\n}\n' }],
  ['a missing comma in one line', { 'x.conf': 'web.service: { command: /srv/serve type: simple }\n' }],
  ['a missing comma behind { }', { 'x.conf': 'web.service: {\n  env_set: { A: 1 }\n  command: /srv/serve\n}\n' }],
  ['a missing comma in [ ]', { 'x.conf': 'web.service: { command: /srv/serve, after: ["a" "b"] }\n' }],
  ['a bracket that is not closed', { 'x.conf': `web.service: {\n  ${serve},\n\n${other('db')}` }],
  ['a line indented too far', { 'x.conf': service(serve, ' type: simple') }],
  [
    'a line indented too far, two lines below',
    { 'x.conf': service(serve, '', '   # simple', '   type: simple', 'enabled: true') },
  ],
  ['a line indented too far in env_set', { 'x.conf': service(serve, 'env_set:', '  A: 1', '    B: 2') }],
  [
    'a line indented too far, at the end of a block',
    { 'x.conf': `${service(serve, 'env_set:', '  A: 1', '   B: 2', 'enabled: true')}` },
  ],
  ['a line between two columns', { 'x.conf': service(serve, 'env_set:', '    A: 1', '  B: 2') }],
  ['a line indented too little', { 'x.conf': `${service(serve)} type: simple\n` }],
];

function told(content: Readonly<Record<string, string>>): string {
  const reader = memoryReader(
    Object.fromEntries(
      Object.entries(content).map(([name, text]) => [name.endsWith('.d') ? `etc/${name}/x` : `etc/${name}`, text]),
    ),
  );
  const loaded = loadConfiguration('etc', {
    reader,
    environment: { PATH: '/bin' },
    accounts,
    interactive: false,
    help: mistakeHelp,
  });
  const places = readPlaces('etc', { reader });
  const found =
    loaded.spec === undefined
      ? []
      : checkSystem(loaded.spec, { places, probe: fakeProbe(files), nextTimes: () => [], inherited: ['PATH'] })
          .diagnostics;
  const all = inOrder([...loaded.diagnostics, ...found], places.files);
  const text = `${renderErrors(all)}${renderWarnings(all)}`;
  return text === '' ? 'nothing\n' : text.replaceAll(/^chaperone: \d.*\n\n/gm, '');
}

it('says of each mistake where it is, and what to write', async () => {
  const text = mistakes.map(([title, content]) => {
    const shown = Object.entries(content).map(([name, lines]) => (lines === '' ? `${name}\n` : `${name}:\n${lines}`));
    return `${'='.repeat(20)} ${title}\n${shown.join('')}${'-'.repeat(20)}\n${told(content)}`;
  });
  await expect(text.join('\n')).toMatchFileSnapshot('../golden/check.txt');
});
