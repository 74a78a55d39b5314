// How many records a second come from /dev/log into a file, of chaperone and of other syslog daemons in one interleaved run:
//
//   npm run bench:syslog -- [--rounds 5] [--count 100000] [--only chaperone,rsyslogd]
//
// Each daemon has a PID namespace and a /dev of its own. One that is not installed is left out. The last column is the
// longest that chaperone's event loop was blocked, taken in runs of their own: measuring costs.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    count: { type: 'string', default: '100000' },
    size: { type: 'string', default: '120' },
    only: { type: 'string' },
    profile: { type: 'string' },
  },
});
const folder = mkdtempSync(join(tmpdir(), 'chaperone-syslog-'));
const client = join(folder, 'client');
run('cc', ['-O2', '-o', client, join(root, 'bench/syslog-client.c')]);

/** What the variants of chaperone are told. */
const plain = { 'file.logging': { selector: 'user.*', file: '$(LOG)' } };
const configurations = {
  chaperone: plain,
  'chaperone with 4 selectors and JSON': {
    ...plain,
    'auth.logging': { selector: 'auth,authpriv.*', file: '$(LOG).auth' },
    'errors.logging': { selector: '*.err;!/health ?check/.*;[bench].warn', file: '$(LOG).err' },
    'search.logging': { selector: '/(time|number 0000)[0-9]5 /.*', file: '$(LOG).search' },
    'json.logging': { selector: '*.info', stdout: true, format: 'json' },
  },
};

const rsyslogd = `module(load="imuxsock" SysSock.Name="/dev/log" SysSock.RateLimit.Interval="0")
user.* action(type="omfile" file="$LOG")
`;

const daemons = {
  rsyslogd: {
    needs: '/usr/sbin/rsyslogd',
    script: (log) => {
      writeFileSync(join(folder, 'rsyslog.conf'), rsyslogd.replace('$LOG', log));
      return `rsyslogd -n -i ${folder}/rsyslogd.pid -f ${folder}/rsyslog.conf & ${clientLine(log)}`;
    },
  },
  'busybox syslogd': {
    needs: '/usr/bin/busybox',
    script: (log) => `busybox syslogd -n -O ${log} & ${clientLine(log)}`,
  },
  ...Object.fromEntries(Object.keys(configurations).map((name) => [name, { script: (log) => chaperone(name, log) }])),
};

function clientLine(log) {
  return `${client} /dev/log ${values.count} ${values.size} ${log} > ${folder}/result; kill -9 $!`;
}

function chaperone(name, log, program = join(root, 'dist/chaperone'), count = values.count) {
  const config = join(folder, 'chaperone.d');
  mkdirSync(config, { recursive: true });
  writeFileSync(
    join(config, 'x.conf'),
    JSON.stringify({ settings: { env_set: { LOG: log } }, ...configurations[name] }),
  );
  const command = `sh -c '${client} /dev/log ${count} ${values.size} ${log} > ${folder}/result'`;
  return `exec ${program} --config ${config} --exitkills ${command}`;
}

function measure(script) {
  rmSync(join(folder, 'result'), { force: true });
  rmSync(join(folder, 'rsyslogd.pid'), { force: true });
  for (const suffix of ['', '.auth', '.err', '.search']) rmSync(`${folder}/log${suffix}`, { force: true });
  const dev = join(folder, `dev-${process.hrtime.bigint()}`);
  const steps = `${root}/test/fixtures/own-dev ${dev} && ${script}`;
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const { status, stderr } = spawnSync(
    'unshare',
    ['--pid', '--fork', '--mount', '--mount-proc', '--kill-child', 'sh', '-c', steps],
    { encoding: 'utf8', env, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  rmSync(dev, { recursive: true, force: true });
  if (readOr(join(folder, 'result')) === '') throw new Error(`nothing measured (status ${status}): ${stderr}`);
  return JSON.parse(readOr(join(folder, 'result')));
}

/** The same, for longer, with a node beside chaperone that has the probe: chaperone takes NODE_OPTIONS away. */
function probe(name) {
  const delay = join(folder, 'delay');
  process.env.PROBE_DELAY = delay;
  const probed = join(folder, 'probed');
  if (!existsSync(probed)) {
    cpSync(join(root, 'dist'), join(probed, 'dist'), { recursive: true });
    cpSync(join(root, 'build'), join(probed, 'build'), { recursive: true });
    const wrapper = `#!/bin/sh\nexec ${process.execPath} -r ${root}/bench/syslog-probe.cjs "$@"\n`;
    writeFileSync(join(probed, 'dist/node'), wrapper, { mode: 0o755 });
  }
  measure(chaperone(name, join(folder, 'log'), join(probed, 'dist/chaperone'), 5 * Number(values.count)));
  return JSON.parse(readFileSync(delay, 'utf8'));
}

const only = values.only?.split(',');
const names = Object.keys(daemons).filter(
  (name) =>
    (only === undefined || only.includes(name)) &&
    (daemons[name].needs === undefined || existsSync(daemons[name].needs)),
);
const results = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const name of names) results[name].push(measure(daemons[name].script(join(folder, 'log'))));
}

process.stdout.write('records/s, median (all)      lost  blocked at most\n');
for (const name of names) {
  const rates = results[name].map(({ written, count }) => Math.round((count / written) * 1000));
  const lost = results[name].reduce((sum, { count }) => sum + Number(values.count) - count, 0);
  const blocked =
    name in configurations ? median([probe(name), probe(name), probe(name)].map(({ max }) => max)) : undefined;
  process.stdout.write(
    `${name}\n  ${median(rates)} (${rates.join(' ')})  ${lost}  ${blocked === undefined ? '' : `${blocked.toFixed(1)} ms`}\n`,
  );
}
if (values.profile !== undefined) {
  process.env.PROBE_PROFILE = values.profile;
  probe(names.findLast((name) => name in configurations));
}
rmSync(folder, { recursive: true, force: true });

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function run(command, args) {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

function readOr(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
