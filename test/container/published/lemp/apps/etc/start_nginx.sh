#!/bin/bash
# nginx reads no variables of the environment: its files are made of templates.
mkdir -p "$VAR_DIR/etc" "$VAR_DIR/sites.d" "$NGINX_LOG_DIR"
tpl_envcp --overwrite --strip .tpl "$APPS_DIR"/etc/nginx*.tpl "$VAR_DIR/etc"
tpl_envcp --overwrite --strip .tpl "$APPS_DIR"/www/sites.d/*.tpl "$VAR_DIR/sites.d"
/usr/sbin/nginx -c "$VAR_DIR/etc/nginx.conf"
