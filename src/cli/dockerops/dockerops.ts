import { main } from './main.ts';

main(process.argv.slice(2)).then(
  (exitStatus) => {
    process.exitCode = exitStatus;
  },
  (error: unknown) => {
    process.exitCode = 1;
    process.stderr.write(`dockerops: ${error instanceof Error ? error.message : String(error)}\n`);
  },
);
