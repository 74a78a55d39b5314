/** Undefined where it is none; 0, which lets the system choose, where there is nothing. */
export function readPort(text = '0'): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}
