#!/bin/bash
# The page of hello.service, out of its template.
mkdir -p "$VAR_DIR/etc"
tpl_envcp --overwrite --strip .tpl "$APPS_DIR"/etc/*.html.tpl "$VAR_DIR/etc"
