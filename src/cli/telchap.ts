import { isVerb } from '../control/commands.ts';
import { commands, telchapHelp } from './commands.ts';
import { print, sendCommand, withControl } from './control-call.ts';
import { version } from './version.ts';

/** The original's tool: one command to the running chaperone, and its answer. */
async function main([name, ...words]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === 'help') {
    await print(name === undefined ? 2 : 1, telchapHelp());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    await print(1, `telchap ${version}\n`);
    return 0;
  }
  if (!isVerb(name) || !commands.some((command) => command.name === name && command.telchap)) {
    const elsewhere = commands.some((command) => command.name === name);
    const hint = elsewhere ? `; that is for "chaperonectl ${name}"` : '';
    await print(2, `telchap: unknown command "${name}"${hint}\ntry "telchap --help"\n`);
    return 2;
  }
  return withControl('telchap', name, words, async () => {
    const reply = await sendCommand([name, ...words]);
    await print(reply.kind === 'mistake' ? 2 : 1, reply.text.endsWith('\n') ? reply.text : `${reply.text}\n`);
    return reply.exitStatus;
  });
}

main(process.argv.slice(2)).then((status) => process.exit(status));
