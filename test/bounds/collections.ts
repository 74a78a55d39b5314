/** Every collection of a class or a module in the rooms that live as long as the container, and what keeps it from growing. */

/** Why a collection does not grow without end. */
export type Bound =
  /** It holds so much at most, entries or bytes; and the test that feeds it more, where there is one yet. */
  | { readonly most: number; readonly fedIn: string | undefined }
  /** One entry, or a bounded number, for each service; it goes with its service: test/bounds/removed-services.test.ts. */
  | 'service'
  /** One for each process, run, actor or request that is under way; it goes with that: test/bounds/long-life.test.ts. */
  | 'underWay'
  /** One for each connection or watcher, of which there is a bounded number; it goes with that. */
  | 'connection'
  /** As many as the configuration, or the code, has: files, ports, conventions, timers with names. */
  | 'configuration'
  /** The object lives as long as one piece of work: a reading of the configuration, a step, a command on a terminal. */
  | 'work';

const caches = 'test/bounds/caches.test.ts';

export const collections: Readonly<Record<string, Readonly<Record<string, Bound>>>> = {
  'cli/dockerops/build-screen.ts': { '#rows': 'work' },
  'cli/dockerops/instance-screen.ts': { '#rows': 'work' },
  'cli/top/top-feed.ts': { '#changed': 'service', '#timers': 'configuration' },
  'control/gate.ts': {
    '#buckets': { most: 1_000, fedIn: caches },
    '#shutdownCallers': { most: 16, fedIn: 'test/control/gate.test.ts' },
  },
  'control/server.ts': { '#connections': 'connection', '#deadlines': 'connection', '#streams': 'connection' },
  'facts/causes.ts': { '#known': 'service' },
  'facts/feed.ts': { '#ring': { most: 1_000_000, fedIn: 'test/facts/feed.test.ts' } },
  'facts/milestones.ts': { '#services': 'service', '#actors': 'service' },
  'facts/ring.ts': { '#items': { most: 1_000_000, fedIn: 'test/facts/ring.test.ts' } },
  'facts/spans.ts': {
    '#types': 'service',
    '#passages': 'service',
    '#last': 'service',
    '#runs': 'underWay',
    '#moves': { most: 2_048, fedIn: caches },
  },
  'facts/transitions.ts': {
    '#known': 'service',
    '#requests': { most: 256, fedIn: undefined },
    '#services': 'configuration',
    '#starts': 'service',
    noLines: 'configuration',
  },
  'inspect/hub.ts': {
    '#watchers': 'connection',
    '#ring': { most: 20_000, fedIn: 'test/inspect/hub.test.ts' },
    '#records': { most: 1_000, fedIn: 'test/inspect/hub.test.ts' },
    '#known': { most: 20_000, fedIn: 'test/inspect/hub.test.ts' },
    '#queue': { most: 10_000, fedIn: 'test/inspect/hub.test.ts' },
  },
  'inspect/journal-reader.ts': { '#problems': 'work' },
  'inspect/registry.ts': { '#definitions': 'configuration', '#actors': 'underWay' },
  'model/ledger/ledger.ts': { orders: 'work', '#changed': 'work', '#removed': 'work', '#uncounted': 'work' },
  'model/ledger/reload.ts': { stops: 'work', orders: 'work', slots: 'work' },
  'model/log/syslog-parse.ts': {
    knownClaims: { most: 2_000, fedIn: caches },
    knownTags: { most: 2_000, fedIn: caches },
  },
  'model/service/signal.ts': { namesByNumber: 'configuration' },
  'model/words/env-file.ts': { '#variables': 'work', '#named': 'work', '#ignored': 'work' },
  'model/words/expand.ts': { '#finished': 'work', '#pendingValues': 'work', '#running': 'work', '#globs': 'work' },
  'platform/conf/read-run-conf.ts': { '#values': 'work', '#named': 'work' },
  'platform/runtime/platform.ts': { '#last': 'configuration', '#starved': 'underWay' },
  'platform/runtime/requests.ts': { '#known': 'configuration' },
  'runtime/boot/assemble.ts': { '#nextRuns': 'service', '#signalled': 'underWay', '#services': 'service' },
  'runtime/boot/container-environment.ts': {
    '#seen': { most: 10_000, fedIn: caches },
    '#said': { most: 256, fedIn: caches },
  },
  'runtime/boot/host-notifier.ts': {
    '#phases': 'service',
    '#waiting': { most: 32, fedIn: undefined },
    '#timers': 'configuration',
  },
  'runtime/boot/last-lines.ts': { '#lines': 'service', '#unfinished': 'underWay', '#ending': 'service' },
  'runtime/control/assembly-supervisor.ts': {
    '#records': { most: 1_000, fedIn: undefined },
  },
  'runtime/inspection/late-inspection.ts': { '#closers': 'configuration' },
  'runtime/inspection/observation.ts': { '#known': 'underWay', '#defined': 'configuration', '#born': 'work' },
  'runtime/linux/body.ts': {
    '#requests': 'underWay',
    '#spawnRequests': 'underWay',
    '#verdicts': 'underWay',
    '#signals': 'underWay',
    '#gathered': 'underWay',
    '#spawns': 'underWay',
    '#received': 'underWay',
  },
  'runtime/linux/discarder.ts': { '#waiting': 'underWay' },
  'runtime/linux/image-files.ts': { '#listings': 'configuration' },
  'runtime/linux/linux-clock.ts': {
    '#timers': 'underWay',
    '#waiting': 'underWay',
    '#late': { most: 16, fedIn: undefined },
  },
  'runtime/linux/linux-kernel.ts': { '#connections': 'connection' },
  'runtime/linux/log-socket.ts': { '#held': { most: 10_000, fedIn: undefined } },
  'runtime/linux/outputs.ts': { '#outputs': 'underWay', '#lingering': 'underWay' },
  'runtime/linux/process-trees.ts': {
    '#trees': 'underWay',
    '#started': 'underWay',
    '#sessions': { most: 4_096, fedIn: undefined },
    '#groups': 'underWay',
    '#known': 'underWay',
  },
  'runtime/linux/process-usage.ts': { '#known': 'underWay', '#seen': 'underWay' },
  'runtime/linux/safe-open.ts': { '#above': 'work' },
  'runtime/linux/wall-jumps.ts': { '#listeners': 'underWay' },
  'runtime/logging/account-shares.ts': {
    '#accounts': { most: 1_000, fedIn: caches },
  },
  'runtime/logging/flows.ts': { '#outputs': 'underWay', '#waits': 'configuration', '#flows': 'service' },
  'runtime/logging/log-rates.ts': { '#meters': 'service' },
  'runtime/logging/log-sinks.ts': {
    '#others': 'configuration',
    '#files': 'configuration',
    '#journals': 'configuration',
  },
  'runtime/logging/sink-queue.ts': {
    '#waiting': { most: 4_194_304, fedIn: 'test/runtime/logging/sink-queue.test.ts' },
  },
  'runtime/persistence/persist.ts': { '#last': 'configuration' },
  'runtime/persistence/tree.ts': { '#linked': 'work' },
  'runtime/units/channels.ts': { '#channels': 'service' },
  'runtime/units/checks.ts': { '#runs': 'service', expressions: { most: 1_000, fedIn: caches } },
  'runtime/units/live-processes.ts': { '#processes': 'underWay', '#begins': 'underWay', '#starts': 'service' },
  'runtime/units/notify-sockets.ts': { '#lines': 'service', '#senders': 'work' },
  'runtime/units/pidfiles.ts': {
    '#before': 'service',
    '#startedAt': 'service',
    '#lookedAt': 'service',
    '#awaited': 'service',
    '#stood': 'service',
  },
  'runtime/units/start-environment.ts': { nothingHidden: 'configuration' },
  'runtime/units/units.ts': {
    '#leaderless': 'underWay',
    '#members': 'underWay',
    '#missed': 'underWay',
    '#invocations': 'underWay',
    '#orphans': { most: 256, fedIn: undefined },
    '#numbers': 'service',
    seen: 'underWay',
  },
  'streams/lines.ts': { '#parts': { most: 65_536, fedIn: 'test/streams/lines.test.ts' } },
  'streams/exit-router.ts': { claims: 'underWay' },
};
