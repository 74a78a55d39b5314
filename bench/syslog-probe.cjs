// Loaded into chaperone by bench/syslog.mjs alone: how long the event loop was blocked, and a profile where one is asked for.
const { writeFileSync } = require('node:fs');
const { monitorEventLoopDelay } = require('node:perf_hooks');

const { PROBE_DELAY, PROBE_PROFILE } = process.env;
const delay = monitorEventLoopDelay({ resolution: 1 });
// Loading is not what is measured.
setTimeout(() => delay.enable(), 300).unref();
setInterval(() => {
  writeFileSync(PROBE_DELAY, JSON.stringify({ max: delay.max / 1e6, p99: delay.percentile(99) / 1e6, cpu: process.cpuUsage(), voluntary: process.resourceUsage().voluntaryContextSwitches, involuntary: process.resourceUsage().involuntaryContextSwitches }));
}, 100).unref();

if (PROBE_PROFILE) {
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.start');
  setInterval(
    () => {
      session.post('Profiler.stop', (_error, result) => {
        if (result) writeFileSync(PROBE_PROFILE, JSON.stringify(result.profile));
        session.post('Profiler.start');
      });
    },
    Number(process.env.PROBE_PROFILE_EVERY ?? 1500),
  ).unref();
}
