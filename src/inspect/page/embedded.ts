/** The parts of a page that is one file: the entries, and the code of the layout, stand in it, compressed, in base64. */
import type { Entry } from '../entry.ts';

/** The ids of the elements that hold the parts. */
const recordingId = 'recording';
const layoutId = 'layout';
const searchId = 'search-code';

/** The entries in the page itself; undefined where it has to fetch them. */
export async function embeddedEntries(): Promise<readonly Entry[] | undefined> {
  const text = await partOf(recordingId);
  if (text === undefined) return undefined;
  const lines = text.split('\n').filter((line) => line !== '');
  return JSON.parse(`[${lines.join(',')}]`);
}

/** The address of the code of the layout. */
export function layoutAddress(): Promise<string> {
  return addressOf(layoutId, 'layout.js');
}

/** The address of the code that searches the log. */
export function searchAddress(): Promise<string> {
  return addressOf(searchId, 'search.js');
}

async function addressOf(id: string, file: string): Promise<string> {
  const code = await partOf(id);
  return code === undefined ? file : URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
}

/** True for a page that is one file: there is no server to ask. */
export function isOneFile(): boolean {
  return document.getElementById(recordingId) !== null;
}

async function partOf(id: string): Promise<string | undefined> {
  const text = document.getElementById(id)?.textContent;
  if (text === undefined || text === null) return undefined;
  const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Response(stream).text();
}
