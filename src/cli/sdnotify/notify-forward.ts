/** BARRIER=1 is answered here by closing its descriptor; a service manager would refuse it without one. */
const barrier = /^BARRIER=/;
/** Who the main process is: also in the forms that name it by a descriptor (systemd 257). */
const barrierOrMainPid = /^(?:BARRIER|MAINPID|MAINPIDFD|MAINPIDFDID)=/;

/**
 * What of a datagram of sd_notify(3) is passed on: all of it, byte for byte, with three exceptions. `BARRIER=1` is left out.
 * `READY=` comes first, since runc passes on only a datagram that begins with it; to systemd the order of lines means nothing.
 * And where the sender's main process is not that of the service, `MAINPID=` is left out.
 *
 * @returns undefined where nothing is left
 */
export function forwardedPart(bytes: Buffer, { keepMainPid }: { readonly keepMainPid: boolean }): Buffer | undefined {
  const dropped = keepMainPid ? barrier : barrierOrMainPid;
  // In Latin-1 a byte is a character.
  const lines = bytes
    .toString('latin1')
    .split('\n')
    .filter((line) => !dropped.test(line));
  if (lines.every((line) => line === '')) return undefined;
  const isReady = (line: string): boolean => line.startsWith('READY=');
  return Buffer.from([...lines.filter(isReady), ...lines.filter((line) => !isReady(line))].join('\n'), 'latin1');
}
