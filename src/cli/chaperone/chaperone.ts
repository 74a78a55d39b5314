import './first.ts';
import { join } from 'node:path';
import { runDaemon } from '../../runtime/boot/main.ts';
import { loadEdge } from '../../runtime/linux/load-edge.ts';
import { helpText } from '../command-help.ts';
import { version } from '../version.ts';
import { chaperone, parseOptions, processTitle } from './options.ts';

/** Longest time to write a line for people, ms. */
const writeTimeout = 1_000;

// The bundle is CommonJS and stands beside the native parts.
const edge = loadEdge(join(__dirname, 'edge.node'));
// SIGRTMIN+3 of glibc, which has no name in Node.
edge.watchSignal(37, () => undefined);
const print = (fd: 1 | 2, text: string): void => {
  edge.writeNow(fd, Buffer.from(text), writeTimeout);
};

const invocation = parseOptions(process.argv.slice(2), process.env);
switch (invocation.kind) {
  case 'run':
    edge.setTitle(processTitle(invocation.command));
    void runDaemon({ edge, version, request: invocation });
    break;
  case 'help':
    print(1, helpText('chaperone', chaperone));
    edge.exitNow(0);
    break;
  case 'version':
    print(1, `This is 'chaperone' version ${version}\n`);
    edge.exitNow(0);
    break;
  case 'mistake':
    print(2, `chaperone: ${invocation.message}\n`);
    edge.exitNow(2);
}
