import type { Account } from './account.ts';

/** One line of passwd(5). */
export interface UserEntry {
  readonly name: string;
  readonly uid: number;
  /** The primary group. */
  readonly gid: number;
  readonly home: string;
}

/** One line of group(5). */
export interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** What a look-up of an account gives; the unknown kinds carry the text that was looked up. */
type AccountLookup =
  | { readonly kind: 'found'; readonly account: Account }
  | { readonly kind: 'unknownUser'; readonly user: string }
  | { readonly kind: 'unknownGroup'; readonly group: string };

/** The users and groups of the container. Names win over numbers, as chown(1) reads them. */
export interface AccountDatabase {
  findUser(nameOrId: string): UserEntry | undefined;
  findGroup(nameOrId: string): GroupEntry | undefined;
  /**
   * The account of a user, and of a group where one is given, else of the user's primary group. Numbers need no entry:
   * chaperone's own uid without one belongs to chaperone's own group, and another to group 0, as with `docker run --user`.
   */
  account(user: string, group?: string): AccountLookup;
}

/** The ids of chaperone itself. */
export interface OwnIds {
  readonly uid: number;
  readonly gid: number;
}

/** (uid_t)-1 means "no change" to the kernel, so it can never be an account. */
export const largestId = 0xffff_fffe;

/**
 * Reads the texts of passwd(5) and group(5). Lines that are no entries (comments, NIS lines, damaged ones) are skipped
 * as musl skips them, and of two entries with one name or number the first counts.
 */
export function parseAccounts(passwd: string, group: string, own?: OwnIds): AccountDatabase {
  const users = parseUsers(passwd);
  const groups = parseGroups(group);
  const usersByName = firstBy(users, (user) => user.name);
  const usersById = firstBy(users, (user) => user.uid);
  const groupsByName = firstBy(groups, (entry) => entry.name);
  const groupsById = firstBy(groups, (entry) => entry.gid);
  const gidsByMember = new Map<string, number[]>();
  for (const entry of groups) {
    for (const member of entry.members) {
      const gids = gidsByMember.get(member);
      if (gids === undefined) gidsByMember.set(member, [entry.gid]);
      else gids.push(entry.gid);
    }
  }

  function findUser(nameOrId: string): UserEntry | undefined {
    const id = parseId(nameOrId);
    return usersByName.get(nameOrId) ?? (id === undefined ? undefined : usersById.get(id));
  }

  function findGroup(nameOrId: string): GroupEntry | undefined {
    const id = parseId(nameOrId);
    return groupsByName.get(nameOrId) ?? (id === undefined ? undefined : groupsById.get(id));
  }

  function account(userText: string, groupText?: string): AccountLookup {
    const user = findUser(userText);
    const uid = user?.uid ?? parseId(userText);
    if (uid === undefined) return { kind: 'unknownUser', user: userText };
    let gid = user?.gid ?? (uid === own?.uid ? own.gid : 0);
    if (groupText !== undefined) {
      const given = findGroup(groupText)?.gid ?? parseId(groupText);
      if (given === undefined) return { kind: 'unknownGroup', group: groupText };
      gid = given;
    }
    if (user === undefined) return { kind: 'found', account: { uid, gid, groups: [gid] } };
    // The list that initgroups(3) would set: the group in force, and every group that names the user.
    const supplementary = [...new Set([gid, ...(gidsByMember.get(user.name) ?? [])])];
    return { kind: 'found', account: { uid, gid, groups: supplementary, name: user.name, home: user.home } };
  }

  return { findUser, findGroup, account };
}

/** All entries of passwd(5), also those that an earlier one of the same name or number hides. */
export function parseUsers(passwd: string): readonly UserEntry[] {
  return fields(passwd).flatMap(userEntry);
}

/** All entries of group(5), also those that an earlier one of the same name or number hides. */
export function parseGroups(group: string): readonly GroupEntry[] {
  return fields(group).flatMap(groupEntry);
}

/** A uid or gid in decimal; undefined where the text is none. */
export function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= largestId ? id : undefined;
}

function fields(file: string): string[][] {
  return file
    .split('\n')
    .map((line) => line.replace(/\r$/, ''))
    .filter((line) => line.trim() !== '' && !/^[#+-]/.test(line))
    .map((line) => line.split(':'));
}

function userEntry(parts: string[]): UserEntry[] {
  const [name = '', , uidText = '', gidText = '', , home = ''] = parts;
  const uid = parseId(uidText);
  const gid = parseId(gidText);
  if (name === '' || uid === undefined || gid === undefined) return [];
  return [{ name, uid, gid, home: home === '' ? '/' : home }];
}

function groupEntry(parts: string[]): GroupEntry[] {
  const [name = '', , gidText = '', memberText = ''] = parts;
  const gid = parseId(gidText);
  if (name === '' || gid === undefined) return [];
  const members = memberText
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  return [{ name, gid, members }];
}

function firstBy<Key, Entry>(entries: readonly Entry[], key: (entry: Entry) => Key): Map<Key, Entry> {
  const map = new Map<Key, Entry>();
  for (const entry of entries) if (!map.has(key(entry))) map.set(key(entry), entry);
  return map;
}
