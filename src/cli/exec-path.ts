/**
 * Where the loader of the folder's own C library has executed Node (native/node.c), the loader is what the kernel knows as the program.
 * A script that starts Node again, by `process.execPath`, gets the Node of the folder instead.
 */
import { basename, join } from 'node:path';

if (basename(process.execPath).startsWith('ld-')) process.execPath = join(__dirname, 'node');
