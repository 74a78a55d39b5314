// Counts requests, in a file that stays when the container is removed.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

const file = '/persistent/data/count';
mkdirSync('/persistent/data', { recursive: true });
let count = 0;
try {
  count = Number(readFileSync(file, 'utf8'));
} catch {
  // The first start: nothing was counted yet.
}
createServer((_, response) => {
  count += 1;
  writeFileSync(file, String(count));
  response.end(`${count}\n`);
}).listen(5000);
