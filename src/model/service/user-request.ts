import { oneLine } from '../words/printable.ts';
import { largestId, parseId } from './accounts.ts';

/** The user that `--create-user` asks for. */
export interface UserRequest {
  readonly name: string;
  /** A file or folder whose owner supplies the ids that are not given; absolute. */
  readonly path?: string;
  readonly uid?: number;
  /** A number, or the name of a group that has to exist. */
  readonly gid?: number | string;
  /** Of `--default-home`: the home where /home/NAME does not exist; absolute. */
  readonly defaultHome?: string;
}

export type UserRequestReading =
  | { readonly kind: 'request'; readonly request: UserRequest }
  | { readonly kind: 'mistake'; readonly message: string };

/** What useradd(8) takes at most. */
const longestName = 32;
const userName = /^[a-z_][a-z0-9_-]*$/i;
/** More is allowed than in a user's name, since the group is only looked up. */
const groupName = /^[a-z_][a-z0-9_.-]*\$?$/i;

/**
 * Reads the text of `--create-user`: `NAME[:UID[:GID]]` or `NAME:/path[:UID[:GID]]`. Empty parts are parts that are not
 * given; `\:` in the path is a colon. A group's name may stand alone, as the original has it.
 *
 * @param defaultHome the text of `--default-home`
 * @example parseUserRequest('joe:/apps::users') // ids of /apps, but the group `users`
 */
export function parseUserRequest(text: string, defaultHome?: string): UserRequestReading {
  const [name = ''] = text.split(':', 1);
  if (!userName.test(name)) {
    return mistake(text, `a user's name is letters, digits, "_" and "-", and begins with a letter or "_"`);
  }
  if (name.length > longestName) return mistake(text, `a user's name has at most ${longestName} characters`);

  const [, path, rest = ''] = /^(?::(\/(?:\\:|[^:])*))?(.*)$/s.exec(text.slice(name.length)) ?? [];
  const parts = rest === '' ? [] : rest.slice(1).split(':');
  if (parts.length > 2) return mistake(text, 'it has too many parts');
  const stray = parts.find((part) => part.includes('/'));
  if (stray !== undefined) {
    const why =
      path === undefined && stray === parts[0] ? 'a path begins with "/"' : 'a path comes right after the name';
    return mistake(text, why);
  }
  if (path?.includes('\0') === true) return mistake(text, 'a path holds no NUL');
  // One word that is no number is a group: NAME:GROUP, NAME:/path:GROUP.
  const [uidText = '', gidText = ''] = parts.length === 1 && groupName.test(parts[0] ?? '') ? ['', ...parts] : parts;

  const uid = parseId(uidText);
  if (uidText !== '' && uid === undefined) return mistake(text, idWanted('UID', uidText));
  const gid = parseId(gidText) ?? (groupName.test(gidText) ? gidText : undefined);
  if (gidText !== '' && gid === undefined) return mistake(text, idWanted('GID', gidText, ' or the name of a group'));
  // A colon, a newline or a NUL would break the line of passwd(5).
  if (defaultHome !== undefined && !/^\/[^:\n\r\0]*$/.test(defaultHome)) {
    return {
      kind: 'mistake',
      message: `cannot take "${oneLine(defaultHome)}" as --default-home: expected an absolute path without a colon`,
    };
  }
  return {
    kind: 'request',
    request: {
      name,
      ...(path === undefined ? {} : { path: path.replaceAll('\\:', ':') }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(defaultHome === undefined ? {} : { defaultHome }),
    },
  };
}

function idWanted(what: string, found: string, also = ''): string {
  return `the ${what} "${found}" is no number from 0 to ${largestId}${also}`;
}

function mistake(text: string, why: string): UserRequestReading {
  return {
    kind: 'mistake',
    message: `cannot create the user "${oneLine(text)}": ${oneLine(why)} (NAME[:UID[:GID]] or NAME:/path[:UID[:GID]])`,
  };
}
