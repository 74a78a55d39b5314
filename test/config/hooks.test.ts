import { describe, expect, it } from 'vitest';
import { errorsOf, serviceOf } from './loading.ts';

describe('hooks in a configuration', () => {
  it('are one command or a list of them, with prefixes, and are not expanded yet', () => {
    const { hooks } = serviceOf(`
web.service:
  command: web
  before_start: -+mkdir -p $(DIR)
  after_start: ['say "a b"', '-log $(MAINPID)', true]
  stop_command: +web --quit
  after_stop: []
`);
    expect(hooks?.commands).toEqual({
      before_start: [{ command: 'mkdir -p $(DIR)', mayFail: true, asChaperone: true }],
      after_start: [{ command: 'say "a b"' }, { command: 'log $(MAINPID)', mayFail: true }, { command: 'true' }],
      stop_command: [{ command: 'web --quit', asChaperone: true }],
    });
    expect(hooks?.own).toMatchObject({ _CHAP_SERVICE: 'web.service' });
    expect(serviceOf('web.service: { command: web }')).not.toHaveProperty('hooks');
  });

  it.each([
    ['before_start: { a: b }', /before_start of web\.service is a map .*\[wrong-shape\]/],
    ['after_stop: [a, [b]]', /after_stop of web\.service holds a list .*\[wrong-shape\]/],
    ['stop_command: [a, b]', /stop_command of web\.service is a list .*\[wrong-shape\]/],
    ['before_start: "-"', /before_start of web\.service has no program \[empty-value\]/],
    ['before_start: ["ok", ""]', /before_start of web\.service has no program \[empty-value\]/],
    ['before_stop: "say \'a"', /a quote in before_stop of web\.service is never closed \[unclosed-quote\]/],
    [
      'kill_signal: SIGQIT 10s SIGTERM 5s',
      /kill_signal of web\.service is no signal: "SIGQIT 10s SIGTERM 5s" \[not-a-signal\]/,
    ],
    ['kill_signal: SIGQUIT SIGTERM', /kill_signal of web\.service is no signal/],
    ['kill_signal: SIGQUIT 10x SIGTERM', /kill_signal of web\.service is no signal/],
    [
      'kill_signal: SIGQUIT 10s SIGTERM',
      /SIGTERM in kill_signal of web\.service has no effect: SIGKILL comes with it \[contradiction\]/,
    ],
    [
      'stop_timeout: 5s\n  kill_signal: SIGQUIT 10s SIGTERM 5s',
      /SIGTERM in kill_signal of web\.service has no effect: SIGKILL comes before it, after the stop_timeout of 5 s \[contradiction\]/,
    ],
    ['secrets: [PW]\n  after_start: say $(PW)', /after_start of web\.service would show a secret \[secret-exposed\]/],
    ['stop_timeout: soon', /stop_timeout of web\.service is not a .*"soon" \[not-a-time\]/],
    ['stop_timeout: -1', /stop_timeout of web\.service is negative/],
    ['kill_mode: mxed', /kill_mode of web\.service is not known: "mxed" \[not-a-choice\]/],
    [
      'type: inetd\n  port: 80\n  before_start: a',
      /before_start of web\.service has no effect: its type is inetd \[no-effect\]/,
    ],
    [
      'type: cron\n  interval: hourly\n  after_start: a',
      /after_start of web\.service has no effect: its type is cron \[no-effect\]/,
    ],
    [
      'type: cron\n  interval: hourly\n  stop_command: a',
      /stop_command of web\.service has no effect: its type is cron \[no-effect\]/,
    ],
    [
      'type: inetd\n  port: 80\n  after_stop: a',
      /after_stop of web\.service has no effect: its type is inetd \[no-effect\]/,
    ],
  ])('with a mistake say so: %s', (line, message) => {
    expect(errorsOf(`web.service:\n  command: web\n  ${line}\n`)).toMatch(message);
  });

  it.each(['before_start', 'after_stop', 'stop_timeout', 'kill_mode'])('fit the type cron: %s', (key) => {
    const value = { stop_timeout: '5s', kill_mode: 'mixed' }[key] ?? 'a';
    expect(errorsOf(`web.service: { command: web, type: cron, interval: hourly, ${key}: ${value} }`)).toBe('');
  });
});

describe('how a stop proceeds', () => {
  const stopOf = (text: string) => {
    const { killSignal, killSteps, stopTimeout, killMode } = serviceOf(`web.service: { command: web, ${text} }`);
    return { killSignal, killSteps, stopTimeout, killMode };
  };

  it('is the default, a signal, or several with pauses whose sum is the time-out', () => {
    expect(stopOf('debug: no')).toEqual({ killSignal: 'SIGTERM', killMode: 'group' });
    expect(stopOf('kill_signal: 3')).toEqual({ killSignal: 'SIGQUIT', killMode: 'group' });
    expect(stopOf('kill_signal: int 500ms')).toEqual({ killSignal: 'SIGINT', stopTimeout: 500, killMode: 'group' });
    expect(stopOf('kill_signal: SIGQUIT 10s SIGTERM 5s, kill_mode: mixed')).toEqual({
      killSignal: 'SIGQUIT',
      killSteps: [
        { signal: 'SIGQUIT', pause: 10_000 },
        { signal: 'SIGTERM', pause: 5_000 },
      ],
      stopTimeout: 15_000,
      killMode: 'mixed',
    });
    expect(stopOf('kill_signal: SIGQUIT 1m SIGTERM, stop_timeout: 1m30s')).toMatchObject({ stopTimeout: 90_000 });
  });

  it('may depend on variables', () => {
    const text =
      'settings: { env_set: { HOW: SIGINT 2s, LONG: 3s } }\nweb.service: { command: web, kill_signal: $(HOW), stop_timeout: $(LONG) }';
    expect(serviceOf(text)).toMatchObject({ killSignal: 'SIGINT', stopTimeout: 3_000 });
  });

  it('gives after_stop as long again', () => {
    expect(serviceOf('web.service: { command: web, after_stop: a }').hooks?.afterStopTimeout).toBe(8_000);
    expect(serviceOf('web.service: { command: web, after_stop: a, stop_timeout: 3 }').hooks?.afterStopTimeout).toBe(
      3_000,
    );
    const text = 'settings: { shutdown_timeout: 20 }\nweb.service: { command: web, after_stop: a }';
    expect(serviceOf(text).hooks?.afterStopTimeout).toBe(20_000);
  });
});
