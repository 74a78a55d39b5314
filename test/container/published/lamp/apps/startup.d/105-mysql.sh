#!/bin/bash
# The database that the package has made is where the first one of $VAR_DIR comes from.

dist=/var/lib/mysql
data=$VAR_DIR/mysql
note() { logger -t mysql.sh -p info "$*"; }

if [ "$CONTAINER_INIT" = 1 ]; then
  note "putting the package's $dist aside"
  sudo bash -c "rm -f /etc/my.cnf; mv $dist $dist-dist"
fi
if [ ! -d "$data" ]; then
  note "copying $dist-dist to $data"
  sudo bash -c "cp -a $dist-dist $data && chown -R ${USER:-mysql}: $data"
fi
