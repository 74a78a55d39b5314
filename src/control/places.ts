/** Possible places of the socket and the FIFO (reference, section 5.3), for the daemon and for clients. */

/** The environment variable of services that names the socket. */
export const socketVariable = 'CHAPERONE_SOCKET';

export interface ControlPlace {
  readonly directory: string;
  /** True if the directory is chaperone's own: a missing one is made, with mode 0700. */
  readonly own: boolean;
  readonly socket: string;
  readonly fifo: string;
}

/** The places for a chaperone with that environment, in the order in which they are tried. */
export function placesFor(
  environment: Readonly<Record<string, string | undefined>>,
  uid: number,
): readonly ControlPlace[] {
  const wished = wishedPlace(environment);
  return [...(wished === undefined ? [] : [wished]), ...controlPlaces(environment, uid)];
}

/** The place that the environment asks for, if it does; the FIFO stands beside the socket. */
function wishedPlace(environment: Readonly<Record<string, string | undefined>>): ControlPlace | undefined {
  const socket = environment[socketVariable];
  if (!socket?.startsWith('/')) return undefined;
  const directory = socket.slice(0, Math.max(1, socket.lastIndexOf('/')));
  const fifo = socket.endsWith('.sock') ? socket.slice(0, -'.sock'.length) : `${socket}.fifo`;
  return { directory, own: false, socket, fifo };
}

/** The places in the order in which they are tried. */
export function controlPlaces(
  environment: Readonly<Record<string, string | undefined>>,
  uid: number,
): readonly ControlPlace[] {
  const runtime = environment['XDG_RUNTIME_DIR'];
  return [
    place('/dev', false),
    place('/run/chaperone', true),
    ...(runtime?.startsWith('/') ? [place(`${runtime}/chaperone`, true)] : []),
    ...sharedFolders.map((folder) => accountPlace(folder, uid)),
  ];
}

/**
 * The folders that every account may usually write to. A container with a read-only root file system has only the first, unless
 * something is mounted at the second.
 */
export const sharedFolders = ['/dev/shm', '/tmp'] as const;

/** The place of an account's chaperone in a folder that all accounts share. */
export function accountPlace(folder: string, uid: number): ControlPlace {
  return place(`${folder}/chaperone-${uid}`, true);
}

/** sockaddr_un(7): what a path may have, bytes. */
export const longestSocketPath = 107;

function place(directory: string, own: boolean): ControlPlace {
  return { directory, own, socket: `${directory}/chaperone.sock`, fifo: `${directory}/chaperone` };
}
