// Runs short programs in rounds that alternate, so that what else the machine does hits all of them; and tells the median of ms from
// start to end, and the most memory that one run of it had.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const rounds = 41;
const time = '/usr/bin/time';

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

/** Max RSS in KiB, by time(1) where it is installed (Debian: apt-get install time). */
function memoryOf([program, ...args], env) {
  if (!existsSync(time)) return undefined;
  const { stderr } = spawnSync(time, ['-f', '%M', program, ...args], { env, encoding: 'utf8' });
  return Number(stderr.trim().split('\n').at(-1));
}

/**
 * Prints a line for each way.
 *
 * @param ways commands by their names
 * @param check throws where a run has not done what it should
 * @param least the way that the others are compared with
 */
export function measure(ways, env, check, least) {
  const times = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [way, [program, ...args]] of Object.entries(ways)) {
      const from = performance.now();
      const { status } = spawnSync(program, args, { env, stdio: 'ignore' });
      times[way].push(performance.now() - from);
      check(way, status);
    }
  }
  for (const [way, command] of Object.entries(ways)) {
    const middle = median(times[way]);
    const memory = memoryOf(command, env);
    check(way, 0);
    const cells = [
      `${way.padEnd(24)} ${middle.toFixed(1).padStart(6)} ms`,
      `${(middle / median(times[least])).toFixed(1).padStart(5)} times ${least}`,
      ...(memory === undefined ? [] : [`${(memory / 1024).toFixed(1).padStart(5)} MiB`]),
    ];
    process.stdout.write(`${cells.join(', ')}\n`);
  }
}
