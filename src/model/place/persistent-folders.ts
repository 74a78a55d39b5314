/** Folders of an image that live on a volume, for containers that are made anew while their data stays. */
/** One folder of the image that may live on the volume. */
export interface PersistentFolder {
  /** The variable that asks for it with `True`. */
  readonly variable: string;
  /** Where programs look for it. */
  readonly folder: string;
  /** Where it lives then. */
  readonly home: string;
}

/** @param volume where it is mounted */
export function persistentFolders(volume = '/persistent'): readonly PersistentFolder[] {
  return [
    { variable: 'PERSISTENT_DATA', folder: '/data', home: `${volume}/data` },
    { variable: 'PERSISTENT_OPT', folder: '/opt', home: `${volume}/opt` },
    { variable: 'PERSISTENT_LOG', folder: '/var/log', home: `${volume}/log` },
    { variable: 'PERSISTENT_HOME', folder: '/home', home: `${volume}/home` },
  ];
}

/** What stands at a path. */
export type Found =
  | { readonly kind: 'absent' | 'folder' | 'other' }
  | { readonly kind: 'link'; readonly target: string };

export interface FolderFacts {
  /** At the folder's own path, links not followed. */
  readonly folder: Found;
  /** True where the folder is a symbolic link that leads to its home. */
  readonly leadsHome: boolean;
  /** At its home, links followed. */
  readonly home: 'absent' | 'folder' | 'other';
  /** The mount points of this mount namespace. */
  readonly mounts: readonly string[];
  /** Files that this very program has to find where they are: its own folder, and Node. */
  readonly own: readonly string[];
}

/** What is to be done with one folder before any service runs. */
export type FolderPlan =
  | { readonly kind: 'nothing' }
  /** It is a volume of its own. */
  | { readonly kind: 'mounted' }
  /** The link is there, or is to be made, and leads to nothing yet. */
  | { readonly kind: 'begin'; readonly link: boolean }
  /** The link alone is missing. */
  | { readonly kind: 'link' }
  /** The first time: what the image has moves to the volume. */
  | { readonly kind: 'move' }
  /** A later time: what this image has is kept beside the link. */
  | { readonly kind: 'setAside' }
  | { readonly kind: 'refuse'; readonly why: string };

export function planFolder({ folder, home }: PersistentFolder, facts: FolderFacts): FolderPlan {
  if (facts.home === 'other') return refuse(`${home} is there and is no folder`);
  if (facts.folder.kind === 'link') {
    if (!facts.leadsHome) return refuse(`${folder} is a symbolic link to ${facts.folder.target}`);
    return facts.home === 'absent' ? { kind: 'begin', link: false } : { kind: 'nothing' };
  }
  if (facts.folder.kind === 'other') return refuse(`${folder} is no folder`);
  if (facts.folder.kind === 'absent') return facts.home === 'absent' ? { kind: 'begin', link: true } : { kind: 'link' };
  if (facts.mounts.includes(folder)) return { kind: 'mounted' };
  const inside = facts.mounts.find((mount) => isInside(mount, folder));
  if (inside !== undefined) return refuse(`${inside} is a mount of its own, which cannot be moved`);
  const own = facts.own.find((path) => isInside(path, folder));
  if (own !== undefined) {
    return refuse(`${own} belongs to chaperone itself, which an older copy on the volume would replace later`);
  }
  return facts.home === 'absent' ? { kind: 'move' } : { kind: 'setAside' };
}

function refuse(why: string): FolderPlan {
  return { kind: 'refuse', why };
}

/** True for a path below a folder, and for the folder itself. */
export function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}

export type Wishes =
  | { readonly kind: 'wishes'; readonly folders: readonly PersistentFolder[] }
  | { readonly kind: 'mistake'; readonly message: string };

/**
 * Reads from the variables of an environment which folders are to live on the volume. A value that is no truth value is a mistake,
 * since a person who has set the variable relies on the volume.
 *
 * @param read the truth value of a text; undefined where it has none
 */
export function wishedFolders(
  environment: Readonly<Record<string, string | undefined>>,
  read: (text: string) => boolean | undefined,
  volume?: string,
): Wishes {
  const folders: PersistentFolder[] = [];
  for (const folder of persistentFolders(volume)) {
    const text = environment[folder.variable]?.trim() ?? '';
    const isWished = text === '' ? false : read(text);
    if (isWished === undefined) {
      return { kind: 'mistake', message: `${folder.variable} is "${text}": expected True or False` };
    }
    if (isWished) folders.push(folder);
  }
  return { kind: 'wishes', folders };
}

/** Where a copy grows: a path that names nothing that is whole. */
export function stagingPath(path: string): string {
  return hiddenBeside(path, 'chaperone-new');
}

/** The symbolic link beside a folder that says what is being done with the folder. */
export function recordPath(path: string): string {
  return hiddenBeside(path, 'chaperone-moving');
}

/** The symbolic link beside the target of a move that says which volume the record beside the folder means. */
export function tokenPath(target: string, token: string): string {
  return hiddenBeside(target, `chaperone-${token}`);
}

function hiddenBeside(path: string, ending: string): string {
  const cut = path.lastIndexOf('/') + 1;
  return `${path.slice(0, cut)}.${path.slice(cut)}.${ending}`;
}

/** The name for what this image has, the first that is free: `/data.image`, `/data.image.2` and so on. */
export function asidePath(folder: string, isTaken: (path: string) => boolean): string {
  const first = `${folder}.image`;
  if (!isTaken(first)) return first;
  for (let number = 2; ; number += 1) if (!isTaken(`${first}.${number}`)) return `${first}.${number}`;
}

/** A move that has begun, as its record has it: `TOKEN:TARGET`. */
export interface MoveRecord {
  readonly token: string;
  readonly target: string;
}

export function writeRecord({ token, target }: MoveRecord): string {
  return `${token}:${target}`;
}

/** Undefined where the text is no record of chaperone's. */
export function readRecord(text: string): MoveRecord | undefined {
  const [, token, target] = /^([0-9a-f]{16}):(\/.*)$/s.exec(text) ?? [];
  return token === undefined || target === undefined ? undefined : { token, target };
}

/** The mount points in the text of proc_pid_mountinfo(5). */
export function mountPoints(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    const escaped = line.split(' ')[4];
    if (escaped === undefined) return [];
    return [escaped.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))];
  });
}
