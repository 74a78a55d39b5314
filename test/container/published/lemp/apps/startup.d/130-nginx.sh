#!/bin/bash
# nginx opens the log of its package whatever its own configuration says.
if [ "$CONTAINER_INIT" = 1 ]; then
  sudo bash -c "mkdir -p /var/log/nginx; chown -R ${USER:-www-data}: /var/log/nginx"
fi
