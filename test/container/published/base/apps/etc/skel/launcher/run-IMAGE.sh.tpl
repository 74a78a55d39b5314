#!/bin/bash
# Runs %(PARENT_IMAGE): ./run-%(IMAGE_BASENAME).sh [-d] [options of chaperone]

IMAGE="%(PARENT_IMAGE)"
EXT_HOSTNAME=%(CONFIG_EXT_HOSTNAME:-localhost)
STORAGE="$PWD/%(IMAGE_BASENAME)-storage"
STORAGE_USER="$USER"
SHELL_COMMAND="bash --norc"
docker_options="-e CONFIG_EXT_HOSTNAME=$EXT_HOSTNAME $DOCKER_OPTIONS"

if [ "$1" == "-d" ]; then
  shift
  docker_options="-d $docker_options"
  SHELL_COMMAND=""
else
  docker_options="-t -i -e TERM=$TERM --rm=true $docker_options"
fi
if [ -d "$STORAGE" -a -w "$STORAGE" ]; then
  docker_options="$docker_options -v $STORAGE:/apps/var"
  chaperone_options="--create $STORAGE_USER:/apps/var"
fi

docker run $docker_options $IMAGE $chaperone_options $* $SHELL_COMMAND
