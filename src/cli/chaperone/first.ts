/**
 * Everything that has to happen before any library is loaded. The bundle runs this file first. Handlers of signals come before all
 * else: as PID 1, chaperone loses a signal that arrives before its handler.
 */
import '../../runtime/linux/early-signals.ts';
import '../../runtime/linux/no-standard-streams.ts';
