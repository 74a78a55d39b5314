/** Parameters of requests for the log, on the command line and over HTTP. */
import { count, flag } from '../model/words/parameter.ts';

export const follow = flag('follow', 'go on with what comes', { short: 'f' });
export const lines = count('lines', 'N', 'how many of the last; 10 with --follow, else all that are kept', {
  short: 'n',
});
