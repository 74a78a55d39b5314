/**
 * Loading a configuration. An input is the text of one file, or of several with lines `%%` between them. Whatever it holds
 * has to become a system or diagnostics.
 */
import { loadConfiguration } from '../../src/config/load.ts';
import { mistakeHelp } from '../../src/config/mistake-help.ts';
import { renderErrors, renderWarnings } from '../../src/config/render-diagnostics.ts';
import { parseAccounts } from '../../src/model/service/accounts.ts';
import { commandKey } from '../../src/model/service/late-environment.ts';
import { shellSyntax } from '../../src/model/service/shell-syntax.ts';
import type { Diagnostic } from '../../src/model/words/diagnostic.ts';
import { memoryReader } from '../config/memory-reader.ts';
import { check } from './target.ts';

export const dictionary = [
  ...['settings: {', 'a.service: {', 'b.service:', 'c.logging:', 'command: ', '  type: ', 'oneshot', 'notify', 'cron'],
  ...['forking', 'inetd', 'simple', 'after: ', 'before: ', 'env_set:', 'env_inherit:', 'env_unset:', 'uid: ', 'gid: '],
  ...['restart: true', 'interval: ', '"*/5 * * * *"', 'port: ', 'pidfile: ', 'service_groups: ', 'IDLE', 'INIT', 'www'],
  ...['depends_on: ', 'environment: ', 'ExecStart: ', 'services:\n', '[Unit]\nA=', ' && ', ' > x', '$HOME', 'sh -c '],
  ...['selector: ', '"*.info;!kern.*"', 'stdout: ', 'stderr: ', 'file: ', 'kill_signal: ', 'SIGTERM', 'directory: '],
  ...[
    'optional: ',
    'ignore_failures: ',
    'exit_kills: ',
    'startup_pause: ',
    'process_timeout: ',
    'enabled: ',
    'setpgrp: ',
  ],
  ...[
    '&a ',
    '*a',
    '<<: ',
    '- ',
    '? ',
    ': ',
    ', ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '|\n',
    '>-\n',
    '#',
    '---\n',
    '...\n',
    '!!',
  ],
  ...['!!binary ', '%YAML 1.1\n', '\t', '\r\n', '\ufeff', '\0', 'yes', 'no', '~', '0x1f', '1e9', '-1', '.inf', '1:30'],
  ...['$(A)', '$(', '${', '`date`', ':-', ':?', '\n%%\n', '\n  ', '\n', '\u2028', '\u{1f600}', 'a: 1\n', '2024-01-01'],
];

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be found
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const accounts = parseAccounts(
  'root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/false\n',
  'root:x:0:\nwww:x:33:\nadm:x:4:www\n',
);
const environment = { PATH: '/usr/bin:/bin', A: '$(B)', B: 'b$(A)', HOME: '/root', _CHAP_OPTIONS: '' };

export function fuzz(data: Buffer): void {
  const texts = data.toString().split(/\n?%%\n/);
  const files = Object.fromEntries(texts.map((text, index) => [`/etc/chaperone.d/${index}.conf`, text]));
  for (const text of texts)
    for (const { index, text: found } of shellSyntax(text))
      check(index >= 0 && found !== '', 'shell syntax has a place');
  const outputs = new Map<string, string>();
  // Commands may stand in commands: one round for each level of them.
  for (let round = 0; round < 4; round += 1) {
    const load = () =>
      loadConfiguration('/etc/chaperone.d', {
        reader: memoryReader(files),
        environment,
        accounts,
        interactive: false,
        outputs,
        help: mistakeHelp,
        console: { argv: ['sh'], exitKills: true, task: false },
      });
    const { spec, diagnostics, commands } = load();
    const failed = diagnostics.some(({ severity }) => severity === 'error');
    check((spec === undefined) === (failed || commands.length > 0), 'there is a system, or a reason why not');
    diagnostics.forEach(checkDiagnostic);
    const report = renderErrors(diagnostics);
    check((report !== '') === failed, 'mistakes are told');
    check(!controls.test(report + renderWarnings(diagnostics)), 'a report is printable');
    if (round === 0) check(JSON.stringify(load().diagnostics) === JSON.stringify(diagnostics), 'loading is repeatable');
    if (commands.length === 0) return;
    for (const { command, account } of commands) outputs.set(commandKey(command, account), `<${command}>`);
  }
}

function checkDiagnostic({ message, position }: Diagnostic): void {
  check(message !== '', 'a diagnostic says something');
  if (position === undefined) return;
  const { line, column, length } = position;
  check(line >= 1 && column >= 1 && length >= 1, `a diagnostic has a place that exists: ${message}`);
}
