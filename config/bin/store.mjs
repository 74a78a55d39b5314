// A counter behind HTTP on a unix socket: POST /hits adds one, GET /hits tells.
import { createServer } from 'node:http';

const [socket] = process.argv.slice(2);
let hits = 0;

const server = createServer((request, response) => {
  if (request.method === 'POST') hits += 1;
  response.end(`${hits}\n`);
});
server.listen(socket, () => process.stdout.write(`listening on ${socket}\n`));

process.on('SIGTERM', () => {
  process.stdout.write(`closing after ${hits} hits\n`);
  server.close();
  server.closeAllConnections();
});
