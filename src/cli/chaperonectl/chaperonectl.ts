/** The entry. Of what it is called for most, `is-ready`, Node hears only where native/is-ready.c leaves it to Node. */
import '../given-environment.ts';
import { main } from './chaperonectl-main.ts';

main(process.argv.slice(2)).then((status) => {
  // Processes that a command in backticks left behind may still hold a pipe open.
  process.exit(status);
});
