/**
 * Who is at the other end of a TCP connection, as the kernel names it: the owner of the socket there, where that is held by a process
 * that can be seen from here. Anybody else (another machine, another container, the host of this one) is foreign.
 */
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { Caller } from '../../control/rights.ts';

/** Where the kernel's tables are; tests have others. */
const proc = '/proc';
/** The state of a connection that both ends hold. In any other, the table names uid 0 for a socket that nobody owns any more. */
const established = '01';

/** The account of a peer that the kernel names no account for. */
const nobody: Caller = { uid: 65_534, gid: 65_534, groups: [], isForeign: true };

type Ends = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>;

export async function callerAt({ remoteAddress, remotePort, localAddress, localPort }: Ends): Promise<Caller> {
  if (remoteAddress === undefined || localAddress === undefined) return nobody;
  if (remotePort === undefined || localPort === undefined) return nobody;
  // Seen from there: its own end stands first.
  const ends = `${endOf(remoteAddress, remotePort)} ${endOf(localAddress, localPort)}`;
  for (const table of ['tcp', 'tcp6']) {
    const lines = (await readFile(`${proc}/net/${table}`, 'latin1').catch(() => '')).split('\n');
    for (const line of lines) {
      const [, own = '', other = '', state, , , , uid = '', , inode = '0'] = line.trim().split(/\s+/);
      if (state !== established || inode === '0' || `${plain(own)} ${plain(other)}` !== ends) continue;
      return (await holderOf(inode, Number(uid))) ?? nobody;
    }
  }
  return nobody;
}

/** The account of the process that holds a socket; undefined where no process that can be seen from here does. */
async function holderOf(inode: string, uid: number): Promise<Caller | undefined> {
  const wanted = `socket:[${inode}]`;
  for (const pid of await readdir(proc)) {
    if (!/^\d+$/.test(pid)) continue;
    const folder = `${proc}/${pid}/fd`;
    for (const fd of await readdir(folder).catch(() => [])) {
      if ((await readlink(`${folder}/${fd}`).catch(() => '')) !== wanted) continue;
      const status = await readFile(`${proc}/${pid}/status`, 'latin1').catch(() => '');
      const own = numbersOf(status, 'Uid');
      // One that has handed the socket on, or has changed its account since, is not the one that connected.
      if (!own.includes(uid)) continue;
      return { uid, gid: numbersOf(status, 'Gid')[1] ?? 65_534, groups: numbersOf(status, 'Groups') };
    }
  }
  return undefined;
}

function numbersOf(status: string, name: string): readonly number[] {
  const [, text = ''] = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status) ?? [];
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number);
}

/** `7f000001:1f90`, as the tables write it but with the bytes in order; an IPv4 address in IPv6 is one of IPv4. */
function endOf(address: string, port: number): string {
  const bare = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  return `${bare.includes(':') ? hex6(bare) : hex4(bare)}:${hex(port, 4)}`;
}

function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

function hex4(address: string): string {
  return address
    .split('.')
    .map((part) => hex(Number(part), 2))
    .join('');
}

function hex6(address: string): string {
  const [front = '', back] = address.split('::');
  const words = (text: string): readonly string[] =>
    text === '' ? [] : text.split(':').map((word) => word.padStart(4, '0'));
  const [head, tail] = [words(front), back === undefined ? [] : words(back)];
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0000');
  return [...head, ...zeros, ...tail].join('').toLowerCase();
}

const mapped = '00000000000000000000ffff';

/** An end in a table of the kernel: words of 32 bits in the order of the machine, which is little-endian wherever Node runs. */
function plain(end: string): string {
  const [address = '', port = ''] = end.toLowerCase().split(':');
  const bytes = (address.match(/.{8}/g) ?? []).map((word) => (word.match(/../g) ?? []).reverse().join('')).join('');
  return `${bytes.startsWith(mapped) && bytes.length === 32 ? bytes.slice(mapped.length) : bytes}:${port}`;
}
