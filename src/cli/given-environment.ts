/**
 * Imported before everything else by the programs that native/launcher.c executes Node for. Some variables are meant for the programs
 * of the image: NODE_OPTIONS may name files and options that the Node beside chaperone does not have, and LD_PRELOAD a library that
 * does not fit its C library. The launcher hides them from Node, and they are put back here, for templates and for commands.
 */
import './exec-path.ts';

const hidden = /^_CHAPERONE_(NODE_OPTIONS|LD_.*|GLIBC_TUNABLES)$/;
for (const [name, value] of Object.entries(process.env)) {
  const given = hidden.exec(name)?.[1];
  if (given === undefined) continue;
  delete process.env[name];
  process.env[given] = value;
}
