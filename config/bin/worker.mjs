// Talks to the store: `write` adds a hit now and then, `read` tells the count now and then, `report` tells it once.
import { request } from 'node:http';

const [socketPath, role] = process.argv.slice(2);
const period = role === 'write' ? 1_000 : 5_000;

function ask(method) {
  return new Promise((resolve, reject) => {
    const query = request({ socketPath, path: '/hits', method }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text.trim()));
    });
    query.on('error', reject);
    query.end();
  });
}

async function once() {
  const hits = await ask(role === 'write' ? 'POST' : 'GET');
  if (role !== 'write') process.stdout.write(`the store counts ${hits} hits\n`);
}

function fail(error) {
  process.stderr.write(`cannot reach the store: ${error.message}\n`);
  process.exit(1);
}

once().catch(fail);
if (role !== 'report') setInterval(() => once().catch(fail), period);
