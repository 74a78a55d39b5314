# Made by envcp: see start_nginx.sh.
error_log syslog:server=unix:/dev/log;
pid %(NGINX_PID_FILE);
worker_processes 2;

events {
	worker_connections 64;
}

http {
	client_body_temp_path /tmp/client_body;
	fastcgi_temp_path /tmp/fastcgi_temp;
	proxy_temp_path /tmp/proxy_temp;
	scgi_temp_path /tmp/scgi_temp;
	uwsgi_temp_path /tmp/uwsgi_temp;
	include /etc/nginx/mime.types;
	access_log %(NGINX_LOG_DIR)/access.log;
	include %(VAR_DIR)/sites.d/*.conf;
}
