/**
 * Everything that has to happen before any library is loaded. The bundle runs this file first. Listeners of signals come before all
 * else: a signal to all processes of the container must not end chaperone.
 */
import '../../runtime/linux/brain-signals.ts';
import '../../runtime/linux/no-standard-streams.ts';
