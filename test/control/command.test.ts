import { describe, expect, it } from 'vitest';
import { parseLine, usage } from '../../src/control/command-words.ts';

describe('a command line', () => {
  it.each([
    ['', { kind: 'empty' }],
    ['  \t', { kind: 'empty' }],
    ['status', { verb: 'status', names: [] }],
    [
      'start --force web --wait "two words"',
      { verb: 'start', names: ['web', 'two words'], force: true, wait: true, enable: false },
    ],
    ['stop --d web', { verb: 'stop', names: ['web'], force: false, wait: false, disable: true, drain: false }],
    ['stop --dr web', { verb: 'stop', names: ['web'], force: false, wait: false, disable: false, drain: true }],
    ['stop --dis web', { verb: 'stop', names: ['web'], force: false, wait: false, disable: true, drain: false }],
    ['stop --drain web', { verb: 'stop', names: ['web'], force: false, wait: false, disable: false, drain: true }],
    ['restart --force --wait web', { verb: 'restart', names: ['web'], force: true, wait: true }],
    ['reload --dry --force', { verb: 'reload', names: [], dryRun: true, force: true }],
    ['reload web store', { verb: 'reload', names: ['web', 'store'], dryRun: false, force: false }],
    ['run-now --wait --timeout 5 job', { verb: 'run-now', names: ['job'], wait: true, timeout: 5_000 }],
    ['stop -- --odd', { verb: 'stop', names: ['--odd'], force: false, wait: false, disable: false, drain: false }],
    ['wait web --for=failed --timeout 0.5', { verb: 'wait', names: ['web'], goal: 'failed', timeout: 500 }],
    ['stop -- --force', { verb: 'stop', names: ['--force'], force: false, wait: false, disable: false, drain: false }],
    ['kill web 9', { verb: 'kill', names: ['web'], signal: 'SIGKILL' }],
    ['loglevel *.Warn', { verb: 'loglevel', level: 'warning' }],
    ['loglevel', { verb: 'loglevel' }],
    ['shutdown NOW', { verb: 'shutdown', delay: 100, now: true }],
    ['shutdown .5', { verb: 'shutdown', delay: 500, now: false }],
  ])('%s', (line, command) => {
    expect(parseLine(line)).toEqual('kind' in command ? command : { kind: 'command', command });
  });

  it.each([
    ['explode', 'unknown command "explode"'],
    ['constructor', 'unknown command "constructor"'],
    ['stop', '"stop" needs the name of a service'],
    ['kill web', '"kill" needs the name of a service and a signal'],
    ['kill web SIGNOT', 'no such signal: SIGNOT'],
    ['dependencies web', '"dependencies" takes no "web"'],
    ['status --force', 'unknown option "--force"'],
    ['start --force=yes', '--force takes no value'],
    ['start -f', 'unknown option "-f"'],
    ['stop --drian web', 'unknown option "--drian": did you mean "--drain"?'],
    ['wait web --for', '--for needs ready, stopped or failed'],
    ['wait web --for=', '--for needs ready, stopped or failed'],
    ['wait web --for happy', '--for takes ready, stopped or failed, not "happy"'],
    ['stop web --timeout -1', '--timeout needs a number of seconds, not "-1"'],
    ['stop web --timeout 1e9', '--timeout needs a number of seconds, not "1e9"'],
    ['loglevel loud', 'Not a valid log level: loud'],
    ['shutdown soon', 'Specified delay is not a valid decimal number: soon'],
    ['shutdown -5', 'unknown option "-5"'],
    ['shutdown 1e400', 'Specified delay is not a valid decimal number: 1e400'],
    ['shutdown 99999999999', 'Specified delay is not a valid decimal number: 99999999999'],
    ['status "web', 'a quote is never closed (")'],
    ['explode\u001b[2J', 'unknown command "explode\\x1b[2J"'],
  ])('%s is a mistake', (line, message) => {
    expect(parseLine(line)).toEqual({ kind: 'mistake', message });
  });
});

it('the usage is what the original prints, with what has come since', () => {
  expect(usage).toBe(`Usage: telchap status [<servname> ...]
       telchap loglevel [<level>]
       telchap stop [--force] [--wait] [--disable] [--drain] [--timeout=<seconds>] <servname> ...
       telchap start [--force] [--wait] [--enable] [--timeout=<seconds>] [--with-prerequisites] [<servname> ...]
       telchap reset [--force] [--wait] [--timeout=<seconds>] <servname> ...
       telchap restart [--force] [--wait] [--timeout=<seconds>] [--with-dependents] <servname> ...
       telchap enable <servname> ...
       telchap disable <servname> ...
       telchap dependencies
       telchap shutdown [<delay>]`);
});
