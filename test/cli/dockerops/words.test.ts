import { describe, expect, it } from 'vitest';
import * as options from '../../../src/cli/dockerops/options.ts';
import { readRequest } from '../../../src/cli/dockerops/read-request.ts';
import { respelled } from '../../../src/cli/dockerops/spelling.ts';
import { dockeropsHelp, dockeropsVerbHelp, dockeropsVerbs } from '../../../src/cli/dockerops/verbs.ts';

describe("the original's form", () => {
  it.each([
    [['run:web'], ['run', 'web']],
    [['run:web,instance=a'], ['run', '--instance=a', 'web']],
    [
      ['run:web,instance=a', '--yes'],
      ['run', '--instance=a', 'web', '--yes'],
    ],
    [['build:all,cache=False,verbose=True'], ['build', '--cache=False', '--verbose=True', 'all']],
    [['run:group=front'], ['run', '--group=front']],
    [['run:web,instance_type=master'], ['run', '--instance-type=master', 'web']],
    [['ssh:web,one'], ['ssh', '--instance=one', 'web']],
    [['exec:web,env=A\\=1\\,2'], ['exec', '--env=A=1,2', 'web']],
    [['getip:web'], ['ip', 'web']],
    [['run_bash:web'], ['run-bash', 'web']],
    [['stop_all'], ['stopall']],
    [
      ['run', 'web:x'],
      ['run', 'web:x'],
    ],
    [
      ['exec', 'web', 'a:b'],
      ['exec', 'web', 'a:b'],
    ],
    [[], []],
  ])('%j is %j', (given, words) => {
    expect(respelled(given)).toEqual(words);
  });
});

function read(words: readonly string[]) {
  const [name, ...rest] = respelled(words);
  const verb = dockeropsVerbs.find((known) => known.name === name);
  if (verb === undefined) throw new Error(`there is no verb ${name}`);
  return readRequest(verb, rest);
}

function request(...words: readonly string[]) {
  const reading = read(words);
  if (reading.kind !== 'request') throw new Error(reading.kind === 'mistake' ? reading.message : 'help');
  return reading;
}

describe('both forms', () => {
  it.each([
    ['run:web,instance=a,publish_ports=False', ['run', 'web', '--instance', 'a', '--publish-ports=false']],
    ['run:web,instance=a,publish_ports=no', ['run', '--publish-ports=no', '--instance=a', 'web']],
  ])('%s is the same as %j', (old, words) => {
    const [one, other] = [request(old), request(...words)];
    for (const { words: names, given } of [one, other]) {
      expect(names).toEqual(['web']);
      expect(given.get(options.instance)).toBe('a');
      expect(given.get(options.publishPorts)).toBe(false);
      expect(given.get(options.linked)).toBeUndefined();
    }
  });

  it('take a truth without a value', () => {
    expect(request('clean:all,force=True').given.get(options.force)).toBe(true);
    expect(request('clean', 'all', '--force').given.get(options.force)).toBe(true);
    expect(read(['clean:all,force=perhaps'])).toEqual({
      kind: 'mistake',
      message: '--force is true or false, not "perhaps"',
    });
  });

  it('leave the words of a command to the command', () => {
    const { words, given } = request('exec', 'web', '--user', 'root', 'ls', '--user', '-l');
    expect(words).toEqual(['web', 'ls', '--user', '-l']);
    expect(given.get(options.user)).toBe('root');
    expect(request('exec', '--user=x', 'web', '--', '--json').words).toEqual(['web', '--json']);
    expect(request('ssh', 'web', '--instance', 'a', 'uname', '-a').words).toEqual(['web', 'uname', '-a']);
  });

  it.each([
    [['run'], '"run" needs NAME|all'],
    [['ip'], '"ip" needs NAME'],
    [['killall', 'web'], '"killall" takes no words but options, so not "web"'],
    [['run', 'web', '--instanse', 'a'], 'unknown option "--instanse": did you mean "--instance"?'],
  ])('refuse %j', (words, message) => {
    expect(read(words)).toEqual({ kind: 'mistake', message });
  });
});

describe('help', () => {
  it('names every verb, and each has its own', () => {
    const help = dockeropsHelp();
    for (const verb of dockeropsVerbs) {
      expect(help).toMatch(new RegExp(`^ {2}${verb.name} `, 'm'));
      expect(dockeropsVerbHelp(verb)).toMatch(new RegExp(`^usage: dockerops ${verb.name}`));
    }
  });
});
