import { networkInterfaces } from 'node:os';

/** The first IPv4 address of each interface of this host that has one. */
export function interfaceAddresses(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) => {
      const found = addresses.find(({ family }) => family === 'IPv4');
      return found === undefined ? [] : [[name, found.address]];
    }),
  );
}
