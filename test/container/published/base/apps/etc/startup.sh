#!/bin/bash
# Prepares the container, then runs the scripts of startup.d in the order of their names. They learn
#   CONTAINER_INIT=1  at the first start of this container
#   VAR_INIT=1        at the first start with this $VAR_DIR, which may be a folder of the host

note() { logger -t startup.sh -p info "$*"; }
alarm() { logger -t startup.sh -p crit "$*"; }

container_done=/container_setup.done
var_done=$VAR_DIR/run/var_setup.done
export CONTAINER_INIT=0 VAR_INIT=0

rm -rf /tmp/*.pid /tmp/*.sock

if [ ! -f $container_done ]; then
  note "first start of this container"
  CONTAINER_INIT=1
  sudo bash -c "date > $container_done"
fi

if [ ! -f "$var_done" ]; then
  note "first start with $VAR_DIR"
  VAR_INIT=1
  mkdir -p "$VAR_DIR" 2> /dev/null
  if [ ! -w "$VAR_DIR" ]; then
    alarm "$VAR_DIR is not writable for $USER"
    exit 1
  fi
  mkdir -p "$VAR_DIR/run" "$VAR_DIR/log"
  date > "$var_done"
fi

for script in $(find "$APPS_DIR/startup.d" -type f -perm -100 ! -name '*~' | sort); do
  note "running $script"
  "$script" || exit 1
done

if [ "$LOCK_ROOT" = 1 ] && [ $CONTAINER_INIT = 1 ]; then
  note "taking sudo away"
  sudo rm /etc/sudoers.d/everybody
fi
