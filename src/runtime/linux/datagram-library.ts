/** The file that `import()` loads in place of unix-dgram itself: of a CommonJS package, esbuild's chunk would hold no names. */
export { createSocket } from 'unix-dgram';
