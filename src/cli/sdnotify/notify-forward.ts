import type { Verdict } from './notify-judge.ts';

/** BARRIER=1 is answered here by closing its descriptor; a service manager would refuse it without one. */
const barrier = /^BARRIER=/;
/** Who the main process is: also in the forms that name it by a descriptor (systemd 257). */
const mainProcess = /^(?:MAINPID|MAINPIDFD|MAINPIDFDID)=/;
const error = /^(?:ERRNO|BUSERROR|EXIT_STATUS)=/;
const voucher = 'X_CHAPERONE=1';

/**
 * What of a datagram of sd_notify(3) is passed on: all of it, byte for byte, with these exceptions. `BARRIER=1` is left out. `READY=`
 * comes first, since runc passes on only a datagram that begins with it; to systemd the order of lines means nothing. `MAINPID=` is left
 * out where the sender's main process is not that of the service, or where the sender may not name it. An error of a helper becomes the
 * status; with an error of the command stands that it is one.
 *
 * @returns undefined where nothing is left
 */
export function forwardedPart(
  bytes: Buffer,
  { message, speaks, mayNameAny }: Verdict,
  { keepMainPid }: { readonly keepMainPid: boolean },
): Buffer | undefined {
  const isKept = (line: string): boolean =>
    !barrier.test(line) && (speaks || !error.test(line)) && ((keepMainPid && mayNameAny) || !mainProcess.test(line));
  // In Latin-1 a byte is a character.
  const all = bytes.toString('latin1').split('\n');
  const lines = all.filter(isKept);
  if (keepMainPid && !mayNameAny && message.mainPid !== undefined) lines.push(`MAINPID=${message.mainPid}`);
  if (!speaks && message.status !== undefined && !all.some((line) => line.startsWith('STATUS=')))
    lines.push(`STATUS=${message.status}`);
  if (lines.some((line) => error.test(line)) && !lines.includes(voucher)) lines.push(voucher);
  if (lines.every((line) => line === '')) return undefined;
  const isReady = (line: string): boolean => line.startsWith('READY=');
  return Buffer.from([...lines.filter(isReady), ...lines.filter((line) => !isReady(line))].join('\n'), 'latin1');
}
