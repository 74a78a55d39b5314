import { describe, expect, it } from 'vitest';
import { controlPlaces, placesFor } from '../../src/control/places.ts';

const sockets = (environment: Readonly<Record<string, string>>, uid: number) =>
  placesFor(environment, uid).map(({ socket, fifo, own }) => [socket, fifo, own]);

describe('the places of the socket and the FIFO', () => {
  const last = [
    ['/dev/shm/chaperone-7/chaperone.sock', '/dev/shm/chaperone-7/chaperone', true],
    ['/tmp/chaperone-7/chaperone.sock', '/tmp/chaperone-7/chaperone', true],
  ];
  const common = [
    ['/dev/chaperone.sock', '/dev/chaperone', false],
    ['/run/chaperone/chaperone.sock', '/run/chaperone/chaperone', true],
  ];

  it('are those of the reference, in its order', () => {
    expect(sockets({}, 7)).toEqual([...common, ...last]);
    expect(sockets({ XDG_RUNTIME_DIR: '/run/user/7' }, 7)).toEqual([
      ...common,
      ['/run/user/7/chaperone/chaperone.sock', '/run/user/7/chaperone/chaperone', true],
      ...last,
    ]);
    // basedir-spec: a path that is not absolute counts as not given.
    expect(sockets({ XDG_RUNTIME_DIR: 'run' }, 7)).toEqual([...common, ...last]);
  });

  it('begin with the one that CHAPERONE_SOCKET names', () => {
    expect(sockets({ CHAPERONE_SOCKET: '/srv/x.sock' }, 7)[0]).toEqual(['/srv/x.sock', '/srv/x', false]);
    expect(sockets({ CHAPERONE_SOCKET: '/x' }, 7)[0]).toEqual(['/x', '/x.fifo', false]);
    expect(sockets({ CHAPERONE_SOCKET: 'x.sock' }, 7)).toEqual([...common, ...last]);
    expect(placesFor({}, 7)).toEqual(controlPlaces({}, 7));
  });
});
