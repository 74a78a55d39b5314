"""Says its name, and how it ends: SIGTERM with 0, SIGUSR1 with 3, SIGUSR2 with 4."""
import os
import signal
import sys

name = sys.argv[1]


def end(number, _):
    print(name + ' ends by ' + signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        with open('/out/ends', 'a') as ends:
            ends.write(name + '\n')
    os._exit({signal.SIGTERM: 0, signal.SIGUSR1: 3, signal.SIGUSR2: 4}[number])


for each in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(each, end)
print(name + ' is up\n\n\ttab and  spaces  ', flush=True)
print(name + ' on stderr', file=sys.stderr, flush=True)
while True:
    signal.pause()
