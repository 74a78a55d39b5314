/** ms that closing the connection of `lingering` takes. */
export const linger = 20_000;

/** Python: makes `passed`, a connection whose other end takes nothing, and which waits for it when it is closed. */
export const lingering = `
import os, socket, struct, time
server = socket.create_server(('127.0.0.1', 0))
if os.fork() == 0:
  # The other end stays open longer than the test lasts.
  os.dup2(server.fileno(), 0)
  os.closerange(1, 1000)
  time.sleep(${(2 * linger) / 1000})
  os._exit(0)
passed = socket.create_connection(server.getsockname())
passed.setblocking(False)
try:
  while True: passed.send(bytes(65536))
except BlockingIOError: passed.setblocking(True)
passed.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, ${linger / 1000}))
`;

/** Python: makes `passed` a unix socket in which that connection is on its way. */
export const nested = `
connection = passed
passed, other = socket.socketpair()
socket.send_fds(other, [b'x'], [connection.fileno()])
connection.close()
`;
