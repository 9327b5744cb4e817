#!/bin/sh
# How compose starts nginx: what the environment says is written to /run, where place/*.conf include it. Without Docker
# infra/local/gateway_server.py does the same.
set -eu

cd /etc/nginx/templates
envsubst '$GATEWAY_RATE $GATEWAY_CONNECTIONS' <limits.template >/run/limits.conf
: >/run/tls.conf
if [ "${GATEWAY_TLS_CERTIFICATE:-}" ]; then
    envsubst '$GATEWAY_TLS_ADDRESS $GATEWAY_TLS_CERTIFICATE $GATEWAY_TLS_KEY' <tls.template >/run/tls.conf
fi
exec nginx -e stderr -g 'daemon off;'
