/** Options of dockerops. Each is also a key of the original's form: `--instance-type` is `instance_type=` there. */
import { count, flag, type Parameter, value, values } from '../../model/words/parameter.ts';
import { isTruth, truthOf } from './truth.ts';

/** An option that is true where no value is given: `--cache`, `--cache=False`. */
function truth(name: string, summary: string): Parameter<boolean | undefined> {
  return {
    ...flag(name, summary),
    takes: 'attached',
    metavar: 'BOOL',
    bare: 'true',
    absent: undefined,
    expects: 'true or false',
    read: (texts) => (isTruth(texts.at(-1) ?? '') ? truthOf(texts.at(-1) ?? '') : undefined),
    wrong: (text) => `--${name} is true or false, not "${text}"`,
  };
}

export const json = flag('json', 'print JSON, of what takes time one line an event');
export const conf = value('conf', 'NAME', 'another run conf than run.conf', { expects: 'the name of a conf' });
export const instance = value('instance', 'INSTANCE', 'only this instance', { expects: 'the name of an instance' });
export const group = value('group', 'GROUP', 'all instances of this group', { expects: 'the name of a group' });
export const yes = flag('yes', 'do not ask', { short: 'y' });
export const force = truth('force', 'do not ask');

export const cache = truth('cache', 'take steps that have not changed from the cache (true)');
export const verbose = truth('verbose', 'print what the steps print');
export const pull = truth('pull', 'look for newer base images');
export const network = value('network', 'NETWORK', 'the network of the steps, such as host', { expects: 'a network' });

export const instanceType = value('instance-type', 'TYPE', 'the type of the instance', { expects: 'a type' });
export const linked = truth('linked', 'stand on the network of the project, with links');
export const publishPorts = truth('publish-ports', 'publish the exposed ports');
export const persistentData = truth('persistent-data', 'keep /data');
export const persistentOpt = truth('persistent-opt', 'keep /opt');
export const persistentLog = truth('persistent-log', 'keep /var/log');
export const interactive = truth('interactive', 'a shell on this terminal in place of the services');
export const safemode = truth('safemode', 'start without the scripts and services of the image');
export const dryRun = flag('dry-run', 'only tell what would be done');

export const inspect = flag('inspect', 'print each transition of the platform and its instances');
export const record = value('record', 'FILE', 'record all that happens, for replay and diff', {
  expects: 'the path of a file',
});

export const timeout = count('timeout', 'SECONDS', 'how long an instance gets to stop before it is killed');
export const signal = value('signal', 'SIGNAL', 'the signal, SIGKILL without it', { expects: 'a signal' });
export const volumes = truth('volumes', 'remove the volumes of the project, too, with all that they hold');

export const follow = flag('follow', 'go on with what comes', { short: 'f' });
export const lines = count('lines', 'N', 'the last N lines', { short: 'n' });
export const user = value('user', 'USER', 'the account inside', { expects: 'an account' });
export const workdir = value('workdir', 'PATH', 'the directory inside', { expects: 'a path' });
export const env = values('env', 'NAME=VALUE', 'a variable of the command; may be repeated', { expects: 'NAME=VALUE' });
export const names = flag('names', 'only the names of the containers, a line each');
export const demo = flag('demo', 'with a database, two instances of an application and a web front');
