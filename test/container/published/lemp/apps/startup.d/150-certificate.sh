#!/bin/bash
# A certificate that signs itself, for the host name that was asked for.
certificate=$VAR_DIR/certs/server.pem
if [ -n "$CONFIG_EXT_SSL_HOSTNAME" ] && [ ! -f "$certificate" ]; then
  mkdir -p "$VAR_DIR/certs"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=$CONFIG_EXT_SSL_HOSTNAME" \
    -addext "subjectAltName=DNS:$CONFIG_EXT_SSL_HOSTNAME" -out "$certificate" -keyout "$VAR_DIR/certs/server.key" 2>&1
  chmod 640 "$VAR_DIR/certs/server.key"
fi
