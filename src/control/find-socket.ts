/**
 * The client's side: finds the socket of the running chaperone, in the places of places.ts. native/is-ready.c does the same, in the
 * same order.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { codeOf } from '../model/words/errno.ts';
import { accountPlace, type ControlPlace, controlPlaces, sharedFolders, socketVariable } from './places.ts';

export interface Client {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}

/**
 * The socket that the environment names, else the first there is (reference, section 5.3): where the client's own account could
 * have made it, then where the account of PID 1 could, then, for root, where any other account could.
 */
export function findSocket(client: Client): string {
  const { environment, uid } = client;
  const named = environment[socketVariable];
  if (named !== undefined && named !== '') return named;
  const places = controlPlaces(environment, uid);
  const init = ownerOf('/proc/1');
  const trusted = [0, uid, ...(init === undefined ? [] : [init])];
  const found =
    places.find((place) => isThere(place, trusted)) ??
    (init === undefined ? undefined : firstOf([init])) ??
    (uid === 0 ? firstOf(otherAccounts()) : undefined);
  return (found ?? places[0])?.socket ?? '';
}

/** The first of the places that these accounts could have made for themselves. */
function firstOf(accounts: readonly number[]): ControlPlace | undefined {
  const places = accounts.flatMap((uid) => sharedFolders.map((folder) => ({ uid, place: accountPlace(folder, uid) })));
  return places.find(({ uid, place }) => isThere(place, [uid, 0]))?.place;
}

/** True where a socket is there, or may be, and none but these accounts can have made it. */
function isThere({ directory, own, socket }: ControlPlace, trusted: readonly number[]): boolean {
  // Another account that can write to the directory could pretend to be chaperone.
  if (own) {
    const owner = ownerOf(directory);
    if (owner === undefined || !trusted.includes(owner)) return false;
  }
  try {
    return lstatSync(socket).isSocket();
  } catch (error) {
    // A root without capabilities may not look into the directory of another account: the connection will tell why.
    return own && codeOf(error) === 'EACCES';
  }
}

/** Not of what a link leads to. */
function ownerOf(path: string): number | undefined {
  try {
    return lstatSync(path).uid;
  } catch {
    return undefined;
  }
}

/** The accounts that have a folder for a chaperone, the lowest number first. */
function otherAccounts(): readonly number[] {
  const names = sharedFolders.flatMap((folder) => namesIn(folder));
  const uids = names.map((name) => Number(/^chaperone-(0|[1-9]\d{0,9})$/.exec(name)?.[1]));
  return [...new Set(uids.filter((uid) => Number.isInteger(uid)))].sort((a, b) => a - b);
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
