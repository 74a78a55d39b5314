/**
 * The entry. A probe runs `is-ready` every few seconds, for as long as the container lives, so that verb loads only its
 * own code. The other verbs are in files of their own.
 */
const [verb, ...words] = process.argv.slice(2);
const isProbe = verb === 'is-ready' && !words.some((word) => word.startsWith('-'));

async function run(): Promise<number> {
  if (!isProbe) return (await import('./chaperonectl-main.ts')).main(process.argv.slice(2));
  const { probe } = await import('./is-ready.ts');
  const { exitStatus, complaint } = await probe(words);
  if (complaint !== undefined) {
    const { writeAll } = await import('../program-io.ts');
    await writeAll(2, Buffer.from(`${complaint}\n`));
  }
  return exitStatus;
}

run().then((status) => {
  // Processes that a command in backticks left behind may still hold a pipe open.
  process.exit(status);
});
