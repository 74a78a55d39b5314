/* The programs that need no Node: scripts and probes call them again and again. */
#pragma once

/* The program sdnotify. Returns its exit status. */
int sdnotify_main(int argc, char **argv);
