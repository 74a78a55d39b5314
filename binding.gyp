{
  'target_defaults': {
    'cflags': ['-std=c11', '-O3', '-Wall', '-Wextra', '-Werror'],
  },
  'targets': [
    {
      'target_name': 'edge',
      'sources': [
        'native/address.c',
        'native/connections.c',
        'native/datagrams.c',
        'native/descriptors.c',
        'native/discarding.c',
        'native/edge.c',
        'native/files.c',
        'native/packets.c',
        'native/processes.c',
        'native/values.c',
        'native/watches.c',
      ],
    },
    {
      # What addons are by default has to be undone: the body is a program.
      'target_name': 'body',
      'type': 'executable',
      'product_extension': '',
      'sources': [
        'native/address.c',
        'native/body/brain.c',
        'native/body/closing.c',
        'native/body/facts.c',
        'native/body/helpers.c',
        'native/body/main.c',
        'native/body/memory.c',
        'native/body/pending.c',
        'native/body/pipes.c',
        'native/body/processes.c',
        'native/body/requests.c',
        'native/body/signals.c',
        'native/body/spawn.c',
        'native/body/stop.c',
        'native/body/words.c',
        'native/deadline.c',
        'native/first-instruction.c',
        'native/is-ready.c',
        'native/launcher.c',
        'native/node.c',
        'native/options.c',
        'native/output.c',
        'native/own-pid.c',
        'native/sdnotify.c',
      ],
      # For words.h, which scripts/native-words.mjs writes.
      'include_dirs': ['dist'],
      'variables': {
        # Some distributions ship no static C library; a dynamic launcher is better than a failed install.
        'static_flag': '<!(echo "int main(void){return 0;}" | '
                       '${CC:-cc} -static -x c - -o /dev/null 2>/dev/null && echo -static || true)',
      },
      'ldflags!': ['-rdynamic'],
      'ldflags': ['<(static_flag)', '-s', '-Wl,-e,first_instruction'],
    },
  ],
}
