// Asks the database, which it finds under the alias of its link.
import { createServer, get } from 'node:http';

createServer((_, response) => {
  get('http://db:5000/', (answer) => {
    answer.setEncoding('utf8').on('data', (text) => response.end(`${process.env.INSTANCE} ${text}`));
  }).on('error', (error) => {
    response.statusCode = 502;
    response.end(`${error.message}\n`);
  });
}).listen(8000);
