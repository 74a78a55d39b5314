// Passes each request on to one of the two instances of the application, in turn.
import { createServer, get } from 'node:http';

let turn = 0;
createServer((_, response) => {
  turn += 1;
  get(`http://${turn % 2 === 1 ? 'one' : 'two'}:8000/`, (answer) => answer.pipe(response)).on('error', (error) => {
    response.statusCode = 502;
    response.end(`${error.message}\n`);
  });
}).listen(8080);
