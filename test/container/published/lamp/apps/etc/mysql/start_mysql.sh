#!/bin/bash
exec /usr/sbin/mariadbd \
  --defaults-file="$MYSQL_HOME/my.cnf" \
  --user="${USER:-mysql}" \
  --datadir="$VAR_DIR/mysql" \
  --socket="$MYSQL_UNIX_PORT" \
  --pid-file="$VAR_DIR/run/mysqld.pid" \
  --init-file="$MYSQL_HOME/first.sql" \
  --log-error="$VAR_DIR/log/mysqld-error.log"
