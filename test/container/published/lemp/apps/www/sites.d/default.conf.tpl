server {
	listen 8080;
	root %(NGINX_SITES_DIR)/default;
	include %(VAR_DIR)/sites.d/php.inc;
}
%(CONFIG_EXT_SSL_HOSTNAME:+
server {
	listen 8443 ssl;
	server_name %(CONFIG_EXT_SSL_HOSTNAME);
	ssl_certificate %(VAR_DIR)/certs/server.pem;
	ssl_certificate_key %(VAR_DIR)/certs/server.key;
	root %(NGINX_SITES_DIR)/default;
	include %(VAR_DIR)/sites.d/php.inc;
})
