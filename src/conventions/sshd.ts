import type { Convention } from './convention.ts';
import { literal, placeOfFile, quotedWord } from './written.ts';

/** The folder of the SSH server that is made anew at each start. */
const own = '/run/chaperone-sshd';

/**
 * Makes the host keys at the first start, on the volume where there is one, so that no image holds them; gathers the authorized
 * keys; and writes the configuration of the server. Keys get their names when they are complete.
 */
const prepare = `set -eu
umask 077
fail() { echo "sshd is not started: $1" >&2; exit 1; }
keys=/etc/chaperone/sshd
if grep -q ' /persistent ' /proc/self/mountinfo; then keys=/persistent/sshd; fi
mkdir -p "$keys"
for type in ed25519 rsa; do
  key=$keys/ssh_host_\${type}_key
  if [ -s "$key" ]; then continue; fi
  rm -f "$key.new" "$key.new.pub"
  ssh-keygen -q -t "$type" -N '' -C '' -f "$key.new"
  mv "$key.new.pub" "$key.pub"
  mv "$key.new" "$key"
done
umask 022
mkdir -p ${own} /run/sshd
for file in /etc/chaperone/authorized_keys /run/secrets/authorized_keys; do
  if [ -f "$file" ]; then cat "$file"; echo; fi
done >${own}/authorized_keys.new
printf '%s\\n' "\${AUTHORIZED_KEYS-}" >>${own}/authorized_keys.new
mv ${own}/authorized_keys.new ${own}/authorized_keys
ssh-keygen -l -f ${own}/authorized_keys >/dev/null 2>&1 || fail 'there are no keys in /etc/chaperone/authorized_keys, /run/secrets/authorized_keys or AUTHORIZED_KEYS'
if [ -f "$CONTAINER_ENVIRONMENT.sh" ]; then cat "$CONTAINER_ENVIRONMENT.sh"; fi >${own}/environment.sh
cat >${own}/session <<'END'
#!/bin/sh
. ${own}/environment.sh
if [ -n "\${SSH_ORIGINAL_COMMAND-}" ]; then exec "$SHELL" -c "$SSH_ORIGINAL_COMMAND"; fi
exec "$SHELL"
END
chmod 755 ${own}/session
cat >${own}/sshd_config <<END
Port \${SSHD_PORT:-22}
HostKey $keys/ssh_host_ed25519_key
HostKey $keys/ssh_host_rsa_key
AuthorizedKeysFile ${own}/authorized_keys
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
PermitRootLogin prohibit-password
UsePAM no
PermitUserEnvironment no
PrintMotd no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
ForceCommand ${own}/session
END
`;

/**
 * A server for people who look into a container. Passwords are off; whoever has one of the keys may become each account. A session
 * has the variables of the container, without secrets. Without keys the server does not start, and the system goes on.
 */
export const sshd: Convention = {
  name: 'sshd',
  read: ({ paths: [program = ''] }) => ({
    sections: [
      {
        name: 'sshd.service',
        place: placeOfFile(program),
        directives: {
          command: `${literal(quotedWord(program))} -D -e -f ${own}/sshd_config`,
          before_start: `sh -c ${literal(quotedWord(prepare))}`,
          env_set: { CONTAINER_ENVIRONMENT: variableFolder },
          restart: true,
          ignore_failures: true,
          startup_pause: 0.5,
        },
      },
    ],
    variableFolder,
  }),
};

const variableFolder = '/etc/container_environment';
