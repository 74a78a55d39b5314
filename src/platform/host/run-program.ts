/** Programs of the host that dockerops runs: ssh and ssh-keygen. Their words are never read by a shell. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { codeOf } from '../../model/words/errno.ts';

export interface Ended {
  readonly exitCode: number;
  readonly stderr: string;
}

export async function runToEnd(program: string, words: readonly string[]): Promise<Ended> {
  const child = spawn(program, [...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return { exitCode: await exitOf(program, child), stderr };
}

/** Gives the program this program's own terminal and pipes. */
export async function runInPlace(program: string, words: readonly string[]): Promise<number> {
  return exitOf(program, spawn(program, [...words], { stdio: 'inherit' }));
}

async function exitOf(program: string, child: ReturnType<typeof spawn>): Promise<number> {
  try {
    const [code]: unknown[] = await once(child, 'close');
    return typeof code === 'number' ? code : 255;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new Error(`there is no program ${program} here`);
    throw error;
  }
}
