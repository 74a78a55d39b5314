/**
 * What `--create-user` does to the account files, decided without touching them.
 *
 * Who gets which id:
 *
 * - A uid that was written (`joe:1234`) must be free: like useradd(8), two names for one uid are refused.
 * - A uid that comes from a path's owner (`joe:/apps`) may belong to another name: joe becomes a second name for it, as with
 *   `useradd --non-unique`. That is what the path form is for: with `docker run -v $PWD:/apps` the folder belongs to whoever
 *   the host says, often 1000, which the image calls `node`. The older entry comes first in the file, so that the uid is
 *   still shown by its name. A folder of root's is refused: joe would be root by another name, and nobody asked for that.
 * - No uid: the one after the highest in use from UID_MIN to UID_MAX of login.defs(5), else the lowest free one.
 * - A gid without a group gets a group named after the user, or `joe-GID` where that name is another group's.
 * - No gid: the group named after the user; where there is none it is made, with the number of the uid if that is free.
 *
 * Old lines are kept byte for byte. New ones stand at the end, but before the first NIS line (`+`, `-`), behind which nobody
 * looks for them.
 */
import { type GroupEntry, largestId, parseGroups, parseUsers, type UserEntry } from './accounts.ts';
import type { UserRequest } from './user-request.ts';

/** The files that may change. */
export type AccountFile = 'group' | 'gshadow' | 'shadow' | 'passwd';

/** Texts of the files, as strings of bytes or of characters alike; absent where there is no such file. */
export type AccountTexts = { readonly [file in AccountFile | 'login.defs']?: string };

export interface AccountFacts {
  /** The owner of the request's path. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Whether /home/NAME is there. */
  readonly homeExists: boolean;
  /** Whether /bin/bash is there. */
  readonly bashExists: boolean;
  /** Unix ms. */
  readonly now: number;
}

export interface PlannedUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export type AccountPlan =
  | ({ readonly kind: 'exists' } & PlannedUser)
  /** The new texts of the files that change. */
  | ({ readonly kind: 'create'; readonly texts: { readonly [file in AccountFile]?: string } } & PlannedUser)
  | AccountRefusal;

export interface AccountRefusal {
  readonly kind: 'error';
  /** One sentence: `cannot create the user joe: …`. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

const day = 24 * 60 * 60 * 1000;
/** What groupadd(8) takes at most. */
const longestGroupName = 32;

/** Plans the user of a request: nothing to do, new texts, or an error. */
export function planAccount(request: UserRequest, texts: AccountTexts, facts: AccountFacts): AccountPlan {
  const { name } = request;
  const users = parseUsers(texts.passwd ?? '');
  const groups = parseGroups(texts.group ?? '');
  const settings = parseLoginDefs(texts['login.defs'] ?? '');

  const askedUid = request.uid ?? facts.owner?.uid;
  const askedGroup = request.gid ?? facts.owner?.gid;
  const askedGid = typeof askedGroup === 'string' ? groups.find((group) => group.name === askedGroup)?.gid : askedGroup;
  if (askedGroup !== undefined && askedGid === undefined) {
    return refuse(name, `there is no group "${askedGroup}"`, 'a group that is given by its number is created');
  }

  const existing = users.find((user) => user.name === name);
  if (existing !== undefined) return compare(existing, askedUid, askedGid, request);
  if (hasEntry(texts.passwd, name)) return refuse(name, 'its line in /etc/passwd is damaged');

  if (request.uid === undefined && facts.owner?.uid === 0) {
    return refuse(
      name,
      `${request.path} belongs to root, and ${name} would be root by another name`,
      `write the uid: --create-user ${name}:${request.path}:UID; or give the folder to another account first`,
    );
  }

  const holder = request.uid === undefined ? undefined : users.find((user) => user.uid === request.uid);
  if (holder !== undefined) {
    return refuse(
      name,
      `uid ${holder.uid} belongs to the user ${holder.name}`,
      `use --user ${holder.name}; or --create-user ${name}:/path, which may share the uid that owns the path`,
    );
  }
  const uid = askedUid ?? freeId(new Set(users.map((user) => user.uid)), settings, 'UID');
  if (uid === undefined) return refuse(name, 'no uid is free between UID_MIN and UID_MAX of /etc/login.defs');

  const group = planGroup(name, uid, askedGid, groups, texts.group, settings);
  if (typeof group === 'string') return refuse(name, group);
  const user = { name, uid, gid: group.gid };
  return { kind: 'create', ...user, texts: newTexts(user, group, request, texts, settings, facts) };
}

function compare(
  existing: UserEntry,
  uid: number | undefined,
  gid: number | undefined,
  { name, path }: UserRequest,
): AccountPlan {
  if ((uid ?? existing.uid) === existing.uid && (gid ?? existing.gid) === existing.gid) {
    return { kind: 'exists', name, uid: existing.uid, gid: existing.gid };
  }
  const asked = [...(uid === undefined ? [] : [`uid ${uid}`]), ...(gid === undefined ? [] : [`gid ${gid}`])];
  const source = path === undefined ? '' : ` (${path} gives what the option leaves out)`;
  return refuse(
    name,
    `it exists with uid ${existing.uid} and gid ${existing.gid}, not with ${asked.join(' and ')} as asked${source}`,
    `choose another name, or leave the ids out to take the user as it is`,
  );
}

interface PlannedGroup {
  readonly gid: number;
  /** The name of the group that has to be made. */
  readonly create?: string;
}

/** @returns the group, or why there can be none */
function planGroup(
  name: string,
  uid: number,
  askedGid: number | undefined,
  groups: readonly GroupEntry[],
  groupText: string | undefined,
  settings: ReadonlyMap<string, number>,
): PlannedGroup | string {
  const sameName = groups.find((group) => group.name === name);
  if (askedGid === undefined) {
    if (sameName !== undefined) return { gid: sameName.gid };
    if (hasEntry(groupText, name)) return `the line of the group ${name} in /etc/group is damaged`;
    const used = new Set(groups.map((group) => group.gid));
    const gid = used.has(uid) ? freeId(used, settings, 'GID') : uid;
    return gid === undefined ? 'no gid is free between GID_MIN and GID_MAX of /etc/login.defs' : { gid, create: name };
  }
  if (groups.some((group) => group.gid === askedGid)) return { gid: askedGid };
  const suffix = `-${askedGid}`;
  const candidates = [name, `${name.slice(0, longestGroupName - suffix.length)}${suffix}`];
  const create = candidates.find((candidate) => !hasEntry(groupText, candidate));
  return create === undefined
    ? `gid ${askedGid} has no group, and the names ${candidates.join(' and ')} are those of other groups`
    : { gid: askedGid, create };
}

function newTexts(
  { name, uid, gid }: PlannedUser,
  group: PlannedGroup,
  request: UserRequest,
  texts: AccountTexts,
  settings: ReadonlyMap<string, number>,
  facts: AccountFacts,
): { readonly [file in AccountFile]?: string } {
  const home = facts.homeExists ? undefined : request.defaultHome;
  const shell = facts.bashExists ? '/bin/bash' : '/bin/sh';
  // Locked either way: "x" sends readers to shadow(5), where "!" is what no password encrypts to.
  const password = texts.shadow === undefined ? '!' : 'x';
  const changed: { [file in AccountFile]?: string } = {
    passwd: withLine(texts.passwd ?? '', `${name}:${password}:${uid}:${gid}::${home ?? `/home/${name}`}:${shell}`),
  };
  // A crash may have left a line behind, since shadow and group are written before passwd; such a line is used.
  if (texts.shadow !== undefined && !hasEntry(texts.shadow, name)) {
    const ages = [
      settings.get('PASS_MIN_DAYS') ?? 0,
      settings.get('PASS_MAX_DAYS') ?? 99_999,
      settings.get('PASS_WARN_AGE') ?? 7,
    ].map((age) => (age < 0 ? '' : String(age)));
    changed.shadow = withLine(texts.shadow, `${name}:!:${Math.floor(facts.now / day)}:${ages.join(':')}:::`);
  }
  if (group.create !== undefined) {
    changed.group = withLine(texts.group ?? '', `${group.create}:x:${group.gid}:`);
    if (texts.gshadow !== undefined && !hasEntry(texts.gshadow, group.create)) {
      changed.gshadow = withLine(texts.gshadow, `${group.create}:!::`);
    }
  }
  return changed;
}

/** Adds a line at the end, but before the first NIS line. */
function withLine(text: string, line: string): string {
  const nis = text.search(/(?<![^\n])[+-]/);
  if (nis >= 0) return `${text.slice(0, nis)}${line}\n${text.slice(nis)}`;
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${line}\n`;
}

/** Whether a line has this name, however damaged the rest of it is. */
function hasEntry(text: string | undefined, name: string): boolean {
  return text?.split('\n').some((line) => line.startsWith(`${name}:`)) ?? false;
}

/** A free id, found as useradd(8) does: one above the highest in use, or the lowest free one if that is the last. */
function freeId(
  used: ReadonlySet<number>,
  settings: ReadonlyMap<string, number>,
  kind: 'UID' | 'GID',
): number | undefined {
  const least = Math.max(settings.get(`${kind}_MIN`) ?? 1000, 0);
  const most = Math.min(settings.get(`${kind}_MAX`) ?? 60_000, largestId);
  let next = least;
  for (const id of used) if (id >= next && id <= most) next = id + 1;
  if (next <= most) return next;
  for (let id = least; id <= most; id += 1) if (!used.has(id)) return id;
  return undefined;
}

/** The numbers of login.defs(5). */
function parseLoginDefs(text: string): ReadonlyMap<string, number> {
  const settings = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^\s*([A-Z_]+)\s+(-?\d+|0x[0-9a-f]+)\s*$/i.exec(line) ?? [];
    if (key !== undefined && value !== undefined) settings.set(key, Number(value));
  }
  return settings;
}

function refuse(name: string, why: string, hint?: string): AccountRefusal {
  return { kind: 'error', message: `cannot create the user ${name}: ${why}`, ...(hint === undefined ? {} : { hint }) };
}
