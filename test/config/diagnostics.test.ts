import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderErrors } from '../../src/config/render-diagnostics.ts';
import { errorsOf, loadFiles, loadText, warningsOf } from './loading.ts';

describe('the look of mistakes', () => {
  it('is that of the design', () => {
    const { diagnostics, spec } = loadFiles({
      '10-store.conf': 'store.service:\n  command: /usr/bin/store\n  after: web.service\n',
      '20-web.conf': `prepare.service: {
  command: "/bin/prepare",
  type: oneshot,
}

web.service: {
  comand: "/usr/sbin/nginx -g 'daemon off;'",
  command: "/usr/sbin/nginx",
  restart: true,
  restart_limit: 3,
  stdout: inherit,
  after: store.service
}
`,
    });
    expect(spec).toBeUndefined();
    expect(renderErrors(diagnostics)).toBe(`chaperone: 2 mistakes in the configuration, nothing was started

chaperone.d/20-web.conf:7:3: unknown key "comand" in web.service [unknown-key]
    7 |   comand: "/usr/sbin/nginx -g 'daemon off;'",
      |   ^^^^^^ did you mean "command"?

chaperone.d/20-web.conf:12:10: web.service waits for itself: web → store → web [dependency-cycle]
   12 |   after: store.service
      |          ^^^^^^^^^^^^^
      = store.service says "after: web.service" at chaperone.d/10-store.conf:3:10
`);
  });

  it('shows keys and sections that do not exist', () => {
    expect(
      errorsOf(`settings: {idel_delay: 1, zzz: 2}
web.service: {command: x, service_group: IDLE, Restart: yes}
a.logging: {filter: "*.*", stout: yes}
web.servce: {}
other: {}
MAIN.service: {command: x}
DB2.logging: {}
"two words.service": {command: x}
.service: {command: x}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 12 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:1:12: unknown key "idel_delay" in settings [unknown-key]
          1 | settings: {idel_delay: 1, zzz: 2}
            |            ^^^^^^^^^^ did you mean "idle_delay"?

      chaperone.d/x.conf:1:27: unknown key "zzz" in settings [unknown-key]
          1 | settings: {idel_delay: 1, zzz: 2}
            |                           ^^^ expected a directive of the settings section

      chaperone.d/x.conf:2:27: "service_group" in web.service is the old spelling of "service_groups" [old-spelling]
          2 | web.service: {command: x, service_group: IDLE, Restart: yes}
            |                           ^^^^^^^^^^^^^ did you mean "service_groups"?

      chaperone.d/x.conf:2:48: "Restart" in web.service is a word of systemd [unknown-key]
          2 | web.service: {command: x, service_group: IDLE, Restart: yes}
            |                                                ^^^^^^^ write "restart: on-failure"

      chaperone.d/x.conf:3:13: "filter" in a.logging is the old spelling of "selector" [old-spelling]
          3 | a.logging: {filter: "*.*", stout: yes}
            |             ^^^^^^ did you mean "selector"?

      chaperone.d/x.conf:3:28: unknown key "stout" in a.logging [unknown-key]
          3 | a.logging: {filter: "*.*", stout: yes}
            |                            ^^^^^ did you mean "stdout"?

      chaperone.d/x.conf:4:1: unknown section "web.servce" [unknown-section]
          4 | web.servce: {}
            | ^^^^^^^^^^ did you mean "web.service"?

      chaperone.d/x.conf:5:1: unknown section "other" [unknown-section]
          5 | other: {}
            | ^^^^^ expected settings, NAME.service or NAME.logging

      chaperone.d/x.conf:6:1: the name "MAIN.service" is reserved: all upper case [reserved-name]
          6 | MAIN.service: {command: x}
            | ^^^^^^^^^^^^ expected a name with a lower-case letter

      chaperone.d/x.conf:7:1: the name "DB2.logging" is reserved: all upper case [reserved-name]
          7 | DB2.logging: {}
            | ^^^^^^^^^^^ expected a name with a lower-case letter

      chaperone.d/x.conf:8:1: "two words.service" is not a name for a section [bad-section-name]
          8 | "two words.service": {command: x}
            | ^^^^^^^^^^^^^^^^^^^ expected NAME.service without spaces and commas

      chaperone.d/x.conf:9:1: ".service" is not a name for a section [bad-section-name]
          9 | .service: {command: x}
            | ^^^^^^^^ expected NAME.service without spaces and commas
      "
    `);
  });

  it('shows values of the wrong kind', () => {
    expect(
      errorsOf(`web.service:
  command: [a, b]
  type: fork
  exit_kills: maybe
  enabled: "$(X:-perhaps)"
  setpgrp: ""
  process_timeout: -1
  startup_pause: soon
  restart_delay: .inf
  restart_limit: 1.5
  kill_signal: SIGTREM
  after: {a: b}
  before: a.service b.service
  directory: {}
  stdout: stderr
  env_set: [A=1]
late.service:
  command: x
  type: forking
  process_timeout: 1e300
  kill_signal: 99
  env_set: {"A=B": 1, C: [1], D: "a\\0b"}
  service_groups: [[x]]
text.service: /bin/x
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 22 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:2:12: command of web.service is a list [wrong-shape]
          2 |   command: [a, b]
            |            ^^^^^^ expected a program and its arguments as one text

      chaperone.d/x.conf:3:9: type of web.service is not known: "fork" [not-a-choice]
          3 |   type: fork
            |         ^^^^ expected simple, oneshot, forking, notify, inetd or cron

      chaperone.d/x.conf:4:15: exit_kills of web.service is neither true nor false: "maybe" [not-a-boolean]
          4 |   exit_kills: maybe
            |               ^^^^^ expected true or false

      chaperone.d/x.conf:5:12: enabled of web.service is neither true nor false: "perhaps" [not-a-boolean]
          5 |   enabled: "$(X:-perhaps)"
            |            ^^^^^^^^^^^^^^^ expected true or false

      chaperone.d/x.conf:6:12: setpgrp of web.service is neither true nor false: "" [not-a-boolean]
          6 |   setpgrp: ""
            |            ^^ expected true or false

      chaperone.d/x.conf:7:20: process_timeout of web.service is negative: "-1" [out-of-range]
          7 |   process_timeout: -1
            |                    ^^ expected a number of seconds, or a time such as 500ms or 1m30s

      chaperone.d/x.conf:8:18: startup_pause of web.service is not a time: "soon" [not-a-time]
          8 |   startup_pause: soon
            |                  ^^^^ expected a number of seconds, or a time such as 500ms or 1m30s

      chaperone.d/x.conf:9:18: restart_delay of web.service is not a time: ".inf" [not-a-time]
          9 |   restart_delay: .inf
            |                  ^^^^ expected a number of seconds, or a time such as 500ms or 1m30s

      chaperone.d/x.conf:10:18: restart_limit of web.service is not a whole number: "1.5" [not-a-number]
         10 |   restart_limit: 1.5
            |                  ^^^ expected a whole number, 0 or more, or unlimited

      chaperone.d/x.conf:11:16: kill_signal of web.service is no signal: "SIGTREM" [not-a-signal]
         11 |   kill_signal: SIGTREM
            |                ^^^^^^^ did you mean "SIGTERM"?

      chaperone.d/x.conf:12:10: after of web.service is a map [wrong-shape]
         12 |   after: {a: b}
            |          ^^^^^^ expected names with commas between them

      chaperone.d/x.conf:13:11: before of web.service holds "a.service b.service", which is not a name [bad-name]
         13 |   before: a.service b.service
            |           ^^^^^^^^^^^^^^^^^^^ expected names with commas between them

      chaperone.d/x.conf:14:14: directory of web.service is a map [wrong-shape]
         14 |   directory: {}
            |              ^^ expected text

      chaperone.d/x.conf:15:11: stdout of web.service is not known: "stderr" [not-a-choice]
         15 |   stdout: stderr
            |           ^^^^^^ expected log, inherit, NAME.service or NAME.logging

      chaperone.d/x.conf:16:12: env_set of web.service is a list and not a map [wrong-shape]
         16 |   env_set: [A=1]
            |            ^^^^^ expected a map of names to values

      chaperone.d/x.conf:20:20: process_timeout of late.service is too long a time: "1e300" [out-of-range]
         20 |   process_timeout: 1e300
            |                    ^^^^^ expected a number of seconds, or a time such as 500ms or 1m30s

      chaperone.d/x.conf:21:16: kill_signal of late.service is no signal: "99" [not-a-signal]
         21 |   kill_signal: 99
            |                ^^ expected a signal such as SIGTERM, or its number, or several with times between them: SIGQUIT 10s SIGTERM 5s

      chaperone.d/x.conf:22:13: "A=B" in env_set of late.service is not a name for a variable [bad-variable-name]
         22 |   env_set: {"A=B": 1, C: [1], D: "a\\0b"}
            |             ^^^^^ expected a name without "="

      chaperone.d/x.conf:22:26: C in env_set of late.service is a list [wrong-shape]
         22 |   env_set: {"A=B": 1, C: [1], D: "a\\0b"}
            |                          ^^^ expected text

      chaperone.d/x.conf:22:34: D in env_set of late.service holds a NUL character [nul-character]
         22 |   env_set: {"A=B": 1, C: [1], D: "a\\0b"}
            |                                  ^^^^^^ expected text without "\\0"

      chaperone.d/x.conf:23:20: service_groups of late.service holds a list [wrong-shape]
         23 |   service_groups: [[x]]
            |                    ^^^ expected names with commas between them

      chaperone.d/x.conf:24:15: text.service is "/bin/x" and not a map of directives [wrong-shape]
         24 | text.service: /bin/x
            |               ^^^^^^ expected lines such as "KEY: VALUE", indented
      "
    `);
  });

  it.each([
    ['port', '"80\\0"'],
    ['type', '"simple\\0"'],
    ['success_exit', '[143, "1\\0"]'],
  ])('shows a NUL character as the only mistake of %s', (key, value) => {
    const errors = errorsOf(`web.service: { command: x, ${key}: ${value} }\n`);
    expect(errors).toMatch(/^chaperone: 1 mistake /);
    expect(errors).toContain(`${key} of web.service holds a NUL character [nul-character]`);
  });

  it('shows commands that are none', () => {
    expect(
      errorsOf(`a.service:
b.service: {command: }
c.service: {command: ""}
d.service: {command: "$(NONE:-)"}
e.service: {command: "'' x"}
f.service:
\tcommand:\techo 'it is
g.service:
  command: echo $(NONE:-"it is)
h.service:
  command: echo $(NONE:-it's)
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 8 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:1:1: a.service has no command [missing-directive]
          1 | a.service:
            | ^^^^^^^^^ expected "command: PROGRAM ARGUMENTS" in it

      chaperone.d/x.conf:2:1: b.service has no command [missing-directive]
          2 | b.service: {command: }
            | ^^^^^^^^^ expected "command: PROGRAM ARGUMENTS" in it

      chaperone.d/x.conf:3:22: the command of c.service is empty [empty-value]
          3 | c.service: {command: ""}
            |                      ^^ expected a program

      chaperone.d/x.conf:4:22: the command of d.service is empty [empty-value]
          4 | d.service: {command: "$(NONE:-)"}
            |                      ^^^^^^^^^^^ expected a program

      chaperone.d/x.conf:5:22: the command of e.service is empty [empty-value]
          5 | e.service: {command: "'' x"}
            |                      ^^^^^^ expected a program

      chaperone.d/x.conf:7:16: a quote in the command of f.service is never closed [unclosed-quote]
          7 |         command:        echo 'it is
            |                              ^ expected a closing '

      chaperone.d/x.conf:9:12: a quote in the command of g.service is never closed [unclosed-quote]
          9 |   command: echo $(NONE:-"it is)
            |            ^^^^^^^^^^^^^^^^^^^^ expected a closing "

      chaperone.d/x.conf:11:12: a quote in the command of h.service is never closed [unclosed-quote]
         11 |   command: echo $(NONE:-it's)
            |            ^^^^^^^^^^^^^^^^^^ expected a closing '
      "
    `);
  });

  it('shows expansions that cannot be done', () => {
    expect(
      errorsOf(
        `settings:
  env_set: {TOKEN: "$(SECRET:?SECRET must be given)"}
a.service:
  command: echo $(TOKEN) \`date\`
  env_set: {X: "$(Y:?)", Z: "$(X)", R: "$(PATH:/a/b)"}
  directory: "$(X)"
b.service: {command: x}
c.service: {command: x, enabled: no, env_set: {N: "$(N:?not needed)"}}
`,
        { environment: { PATH: '/bin', OUT: '$(PATH:/(/x/)' } },
      ),
    ).toMatchInlineSnapshot(`
      "chaperone: 3 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:2:20: TOKEN in env_set of settings, for a.service, cannot be expanded: SECRET must be given [required-variable]
          2 |   env_set: {TOKEN: "$(SECRET:?SECRET must be given)"}
            |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected the variable to be set

      chaperone.d/x.conf:5:16: X in env_set of a.service cannot be expanded: Y is not set [required-variable]
          5 |   env_set: {X: "$(Y:?)", Z: "$(X)", R: "$(PATH:/a/b)"}
            |                ^^^^^^^^ expected the variable to be set

      chaperone.d/x.conf:5:40: R in env_set of a.service cannot be expanded: the form :/REGEX/REPLACEMENT/ is not complete [bad-expansion]
          5 |   env_set: {X: "$(Y:?)", Z: "$(X)", R: "$(PATH:/a/b)"}
            |                                        ^^^^^^^^^^^^^^ expected $(NAME:/REGEX/REPLACEMENT/), a slash inside written as \\/
      "
    `);
  });

  it('shows accounts that do not exist', () => {
    expect(
      errorsOf(`a.service: {command: x, uid: mysql}
b.service: {command: x, uid: joe, gid: wheel}
c.service: {command: x, gid: www}
d.service: {command: x, uid: mysql, enabled: no}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 3 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:1:30: uid of a.service is no user of this system: "mysql" [unknown-user]
          1 | a.service: {command: x, uid: mysql}
            |                              ^^^^^ expected a user name or a number

      chaperone.d/x.conf:2:40: gid of b.service is no group of this system: "wheel" [unknown-group]
          2 | b.service: {command: x, uid: joe, gid: wheel}
            |                                        ^^^^^ expected a group name or a number

      chaperone.d/x.conf:3:30: gid of c.service is given without any uid [gid-without-uid]
          3 | c.service: {command: x, gid: www}
            |                              ^^^ expected a uid here or in settings
      "
    `);
    expect(errorsOf('settings: {uid: mysql}\na.service: {command: x}\n')).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:17: uid of settings is no user of this system: "mysql" [unknown-user]
          1 | settings: {uid: mysql}
            |                 ^^^^^ expected a user name or a number
      "
    `);
  });

  it('shows references that cannot be', () => {
    expect(
      errorsOf(`a.service: {command: x, after: "IDLE, MAIN", before: "INIT, CONSOL"}
b.service: {command: x, service_groups: "INTI, x"}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 5 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:1:33: a.service cannot wait for IDLE: idle services start after all others [impossible-order]
          1 | a.service: {command: x, after: "IDLE, MAIN", before: "INIT, CONSOL"}
            |                                 ^^^^ expected "service_groups: IDLE", to be one of them

      chaperone.d/x.conf:1:39: "MAIN" in after of a.service is no group: all upper case is reserved [reserved-name]
          1 | a.service: {command: x, after: "IDLE, MAIN", before: "INIT, CONSOL"}
            |                                       ^^^^ expected NAME.service, a group, INIT, IDLE or CONSOLE

      chaperone.d/x.conf:1:55: a.service cannot start before INIT: its services start before all others [impossible-order]
          1 | a.service: {command: x, after: "IDLE, MAIN", before: "INIT, CONSOL"}
            |                                                       ^^^^ expected "service_groups: INIT", to be one of them

      chaperone.d/x.conf:1:61: "CONSOL" in before of a.service is no group: all upper case is reserved [reserved-name]
          1 | a.service: {command: x, after: "IDLE, MAIN", before: "INIT, CONSOL"}
            |                                                             ^^^^^^ did you mean "CONSOLE"?

      chaperone.d/x.conf:2:42: b.service is in the group "INTI": all upper case is reserved [reserved-name]
          2 | b.service: {command: x, service_groups: "INTI, x"}
            |                                          ^^^^ did you mean "INIT"?
      "
    `);
  });

  it('shows cycles', () => {
    expect(errorsOf('a.service: {command: x, after: a.service}\n')).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:32: a.service waits for itself: a → a [dependency-cycle]
          1 | a.service: {command: x, after: a.service}
            |                                ^^^^^^^^^
      "
    `);
    expect(
      errorsOf(`a.service: {command: x, after: c.service}
b.service: {command: x, after: a.service}
c.service: {command: x, after: b.service}
d.service: {command: x, before: e.service}
e.service: {command: x, before: d.service}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 2 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:3:32: c.service waits for itself: c → b → a → c [dependency-cycle]
          3 | c.service: {command: x, after: b.service}
            |                                ^^^^^^^^^
            = b.service says "after: a.service" at chaperone.d/x.conf:2:32

      chaperone.d/x.conf:4:33: e.service waits for itself: e → d → e [dependency-cycle]
          4 | d.service: {command: x, before: e.service}
            |                                 ^^^^^^^^^
            = e.service says "before: d.service" at chaperone.d/x.conf:5:33
      "
    `);
    expect(
      errorsOf(`a.service: {command: x, service_groups: INIT, after: b.service}
b.service: {command: x}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:54: a.service waits for itself: a → b → a [dependency-cycle]
          1 | a.service: {command: x, service_groups: INIT, after: b.service}
            |                                                      ^^^^^^^^^
            = a.service says "service_groups: INIT" at chaperone.d/x.conf:1:41
      "
    `);
    expect(
      errorsOf(`a.service: {command: x, service_groups: IDLE, before: b.service}
b.service: {command: x}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:55: b.service waits for itself: b → a → b [dependency-cycle]
          1 | a.service: {command: x, service_groups: IDLE, before: b.service}
            |                                                       ^^^^^^^^^
            = a.service says "service_groups: IDLE" at chaperone.d/x.conf:1:41
      "
    `);
    expect(
      errorsOf(`a.service: {command: x, service_groups: "INIT, IDLE"}
b.service: {command: x}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:42: b.service waits for itself: b → a → b [dependency-cycle]
          1 | a.service: {command: x, service_groups: "INIT, IDLE"}
            |                                          ^^^^
            = a.service says "service_groups: IDLE" at chaperone.d/x.conf:1:48
      "
    `);
    expect(
      errorsOf(`a.service: {command: x, service_groups: g, after: g}
b.service: {command: x, service_groups: g, after: g}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:2:51: b.service waits for itself: b → a → b [dependency-cycle]
          2 | b.service: {command: x, service_groups: g, after: g}
            |                                                   ^
            = a.service says "after: g" at chaperone.d/x.conf:1:51
      "
    `);
  });

  it('shows mistakes in selectors', () => {
    expect(
      errorsOf(`a.logging: {selector: "*.inf"}
b.logging: {selector: "kern.*; kren.err"}
c.logging: {selector: "*.info;"}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 3 mistakes in the configuration, nothing was started

      chaperone.d/x.conf:1:26: selector of a.logging: "inf" is not a priority [bad-selector]
          1 | a.logging: {selector: "*.inf"}
            |                          ^^^ did you mean "info"?

      chaperone.d/x.conf:2:32: selector of b.logging: "kren" is not a facility [bad-selector]
          2 | b.logging: {selector: "kern.*; kren.err"}
            |                                ^^^^ did you mean "kern"?

      chaperone.d/x.conf:3:30: selector of c.logging: nothing stands behind the last ";" [bad-selector]
          3 | c.logging: {selector: "*.info;"}
            |                              ^ expected another part, or no ";" at the end
      "
    `);
  });

  it('shows syntax errors, one a slip', () => {
    const texts = [
      'a.service:\n  command: "x\n  enabled: yes\n',
      "a.service: {command: 'x}\n",
      'a.service: {command: x\nb.service: {command: y}\n',
      'a.service:\n  command: foo\n  enabled true\n  type: simple\n',
      'a.service:\n  command: foo\n enabled: true\n',
      'a.service:\n  command: foo: bar\n',
      'a.service:\n  command: `date`\n',
      'a.service:\n  command: "foo" bar\n',
      'a.service: {command: x type: simple}\n',
      'a.service: ]\n',
      'a.service: {command: "\\q"}\n',
      'a.service:\n  command: x\n  enabled\n',
      'a.service: !python {command: x}\n',
      'a.service: *base\n',
      'a.service: &a {command: *a}\n',
      'a.service: {<<: x, command: y}\n',
      '? [a]\n: {}\n',
      'just text\n',
      '- [a]\n- {b.service: {}}\n',
    ];
    expect(texts.map((text) => errorsOf(text).split('\n').slice(2).join('\n')).join('')).toMatchInlineSnapshot(`
      "chaperone.d/x.conf:2:12: this quoted text is never closed [yaml-syntax]
          2 |   command: "x
            |            ^ expected a closing "
      chaperone.d/x.conf:1:22: this quoted text is never closed [yaml-syntax]
          1 | a.service: {command: 'x}
            |                      ^ expected a closing '
      chaperone.d/x.conf:1:12: this "{" is not closed before line 2, or what stands in it is not indented there [yaml-syntax]
          1 | a.service: {command: x
            |            ^ expected a closing "}"
      chaperone.d/x.conf:3:3: a key goes on over several lines [yaml-syntax]
          3 |   enabled true
            |   ^^^^^^^^^^^^ expected "KEY: VALUE" on this line
      chaperone.d/x.conf:3:2: wrong indentation [yaml-syntax]
          3 |  enabled: true
            |  ^^^^^^^ expected it in column 3, as "command" above
      chaperone.d/x.conf:2:12: a second ":" in one line [yaml-syntax]
          2 |   command: foo: bar
            |            ^^^^^^^^ expected quotes around a value that holds ": "
      chaperone.d/x.conf:2:12: a value cannot begin with "\`" [yaml-syntax]
          2 |   command: \`date\`
            |            ^ expected quotes around the value
      chaperone.d/x.conf:2:18: unexpected "bar" [yaml-syntax]
          2 |   command: "foo" bar
            |                  ^^^ expected the end of the value; quotes go around all of it, or around none of it
      chaperone.d/x.conf:1:23: a "," is missing here, before "type" [yaml-syntax]
          1 | a.service: {command: x type: simple}
            |                       ^ expected "," between two entries of { } or [ ]
      chaperone.d/x.conf:1:12: unexpected "]" [yaml-syntax]
          1 | a.service: ]
            |            ^ expected the end of the value; quotes go around all of it, or around none of it
      chaperone.d/x.conf:1:23: unknown escape "\\q" in double quotes [yaml-syntax]
          1 | a.service: {command: "\\q"}
            |                       ^ expected "\\\\" for a backslash, or single quotes
      chaperone.d/x.conf:3:3: no value after "enabled" [yaml-syntax]
          3 |   enabled
            |   ^^^^^^^ expected "KEY: VALUE"
      chaperone.d/x.conf:1:12: unknown YAML tag "!python" [yaml-tag]
          1 | a.service: !python {command: x}
            |            ^^^^^^^ expected a value without a tag; text that begins with "!" stands in quotes
      chaperone.d/x.conf:1:12: the alias "*base" refers to nothing [unknown-alias]
          1 | a.service: *base
            |            ^^^^^ expected "&base" before it
      chaperone.d/x.conf:1:25: the alias "*a" stands inside the value it refers to [recursive-alias]
          1 | a.service: &a {command: *a}
            |                         ^^ expected an alias of a value that ends before it
      chaperone.d/x.conf:1:17: "<<" merges maps, and this is none [bad-merge]
          1 | a.service: {<<: x, command: y}
            |                 ^ expected an alias of a map, or a list of them
      chaperone.d/x.conf:1:3: a key is a list or a map [bad-key]
          1 | ? [a]
            |   ^^^ expected a name
      chaperone.d/x.conf:1:1: this file holds text and no sections [not-sections]
          1 | just text
            | ^^^^^^^^^ expected settings, NAME.service or NAME.logging
      chaperone.d/x.conf:1:3: a list of sections holds their names only [not-sections]
          1 | - [a]
            |   ^^^ expected settings, NAME.service or NAME.logging

      chaperone.d/x.conf:2:3: a list of sections holds their names only [not-sections]
          2 | - {b.service: {}}
            |   ^^^^^^^^^^^^^^^ expected settings, NAME.service or NAME.logging
      "
    `);
  });

  it('shows files that cannot be read or are no text', () => {
    const { diagnostics } = loadFiles({
      '1.conf': { error: 'EACCES' },
      '2.conf': { error: 'EWEIRD' },
      '3.conf': 'a.service:\n  command: \u0000\u0001x\n',
      '4.conf': 'a.service:\n  command: caf\ufffd\n',
    });
    expect(renderErrors(diagnostics)).toMatchInlineSnapshot(`
      "chaperone: 4 mistakes in the configuration, nothing was started

      cannot read the file "chaperone.d/1.conf": permission denied (EACCES) [unreadable]

      cannot read the file "chaperone.d/2.conf": EWEIRD [unreadable]

      chaperone.d/3.conf:2:12: this is not a text file: it holds a NUL byte [not-text]
          2 |   command: ␀␁x
            |            ^ expected YAML text in UTF-8

      chaperone.d/4.conf:2:15: this is not a text file: it holds bytes that are not UTF-8 [not-text]
          2 |   command: caf�
            |               ^ expected YAML text in UTF-8
      "
    `);
    expect(renderErrors(loadFiles({ '': { error: 'EACCES' } }).diagnostics)).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      cannot read the directory "chaperone.d": permission denied (EACCES) [unreadable]
      "
    `);
  });

  it('lets errors of the program itself through', () => {
    const reader = {
      stat: () => {
        throw new TypeError('fault');
      },
      list: () => [],
      read: () => '',
    };
    expect(() => loadText('', { reader })).toThrow('fault');
  });

  it('is not fooled by bombs', () => {
    const level = (name: string, of: string) =>
      `${name}: &${name} [${Array.from({ length: 10 }, () => of).join(', ')}]\n`;
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
    const bomb = names.map((name, index) => level(name, index === 0 ? 'x' : `*${names[index - 1]}`)).join('');
    expect(errorsOf(bomb)).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:6:36: the aliases up to "*e" stand for more than 1000000 values [too-many-aliases]
          6 | f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
            |                                    ^^ expected fewer aliases of aliases
      "
    `);
    expect(errorsOf(`a.service: {command: ${'['.repeat(100_000)}`)).toMatchInlineSnapshot(`
      "chaperone: 1 mistake in the configuration, nothing was started

      chaperone.d/x.conf:1:119: values are nested more than 100 deep [nested-too-deep]
          1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
            |                                ^ expected sections of directives
      "
    `);
    const stairs = Array.from({ length: 3000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n');
    expect(errorsOf(`${stairs}\nb: c\n`)).toContain('x.conf:100:100: values are nested more than 100 deep');
    expect(errorsOf('- '.repeat(50_000))).toContain('nested more than 100 deep');
  });
});

describe('the look of warnings', () => {
  it('names both lines of a key that stands twice', () => {
    expect(
      warningsOf(`web.service:
  command: a
  command: b
  env_set: {A: 1, A: 2}
---
web.service:
  command: c
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 3 warnings about the configuration

      chaperone.d/x.conf:3:3: "command" stands twice, on line 2 and on line 3; the last one counts [duplicate-key]
          3 |   command: b
            |   ^^^^^^^
            = the one without effect is at chaperone.d/x.conf:2:3

      chaperone.d/x.conf:4:19: "A" stands twice, on line 4 and on line 4; the last one counts [duplicate-key]
          4 |   env_set: {A: 1, A: 2}
            |                   ^
            = the one without effect is at chaperone.d/x.conf:4:13

      chaperone.d/x.conf:6:1: "web.service" stands twice, on line 1 and on line 6; the last one counts [duplicate-key]
          6 | web.service:
            | ^^^^^^^^^^^
            = the one without effect is at chaperone.d/x.conf:1:1
      "
    `);
  });

  it('names what has no effect yet', () => {
    expect(
      warningsOf(`settings: {debug: yes, env_inherit: [A*]}
web.service: {command: x, interval: hourly, kill_mode: process}
d.service: {command: x, port: 8080, type: inetd}
`),
    ).toMatchInlineSnapshot(`
      "chaperone: 1 warning about the configuration

      chaperone.d/x.conf:2:37: interval of web.service has no effect: its type is simple [no-effect]
          2 | web.service: {command: x, interval: hourly, kill_mode: process}
            |                                     ^^^^^^ expected type cron
      "
    `);
  });
});

describe('any text', () => {
  it('gives a configuration or a mistake, and never an exception', () => {
    const piece = fc.constantFrom(
      'a.service',
      'settings',
      'x.logging',
      ': ',
      ':\n  ',
      '\n',
      '- ',
      '{',
      '}',
      '[',
      ']',
      ', ',
      '"',
      "'",
      '&a ',
      '*a',
      '<<',
      '!t ',
      'command',
      'after',
      'before',
      'env_set',
      'enabled',
      'service_groups',
      'selector',
      'INIT',
      'IDLE',
      '$(A:-',
      ')',
      '\t',
      '|',
      '>',
      '#',
      '%',
      '---\n',
      '...\n',
      '? ',
      '\\',
      'é',
      '0',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const { spec, diagnostics } = loadText(pieces.join(''));
        const errors = diagnostics.filter(({ severity }) => severity === 'error');
        expect(spec === undefined).toBe(errors.length > 0);
        expect(renderErrors(diagnostics) === '').toBe(errors.length === 0);
      }),
      { numRuns: 1000 },
    );
  });
});
