#!/bin/sh
# sh make.sh DIRECTORY: makes the secrets that are missing, at random, and hands each part of the system its own.
#
# Each part has a folder there, and in it a file for each of its secrets, named like the setting. What the environment has
# under the name of a secret is taken instead. With SECRETS_UMASK=022 others than the owner may read them: containers have
# volumes of their own, and users of their own in them.
set -eu
umask "${SECRETS_UMASK:-077}"
infra=$(cd "$(dirname "$0")/.." && pwd)
cd "$1"

# put FILE: whole or not at all
put() {
    mkdir -p "${1%/*}"
    cat >"$1.new"
    mv "$1.new" "$1"
}

# secret NAME FILE...
secret() {
    eval "value=\${$1:-}"
    case $value in *[!A-Za-z0-9._~+/=,-]*)
        echo "$1 may hold letters, digits and ._~+/=,- only." >&2
        exit 1
        ;;
    esac
    shift
    [ "$value" ] || value=$(cat "$1" 2>/dev/null || od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    for file in "$@"; do
        printf %s "$value" | put "$file"
    done
}

for service in catalog ordering fulfilment; do
    prefix=$(echo "$service" | tr a-z A-Z)
    secret "${prefix}_DATABASE_PASSWORD" "$service/${prefix}_DATABASE_PASSWORD" "mysql/${service}_run"
    secret "${prefix}_MIGRATION_PASSWORD" "$service-migrate/${prefix}_MIGRATION_PASSWORD" "mysql/${service}_migrate"
done
for service in ordering fulfilment; do
    name=$(echo "$service" | tr a-z A-Z)_REDIS_PASSWORD
    secret "$name" "$service/$name"
done
secret ORDERING_TOKEN ordering/ORDERING_CATALOG_TOKEN catalog/CATALOG_ORDERING_TOKENS
secret OPERATOR_TOKEN ordering/OPS_TOKEN ordering/ORDERING_OPERATOR_TOKENS fulfilment/FULFILMENT_OPERATOR_TOKENS

# Compose gives root's password to MySQL itself. Refused here, before anything else has started.
if [ "${ENVIRONMENT:-}" = production ] && [ "${MYSQL_ROOT_PASSWORD+given}" ] && [ "${#MYSQL_ROOT_PASSWORD}" -lt 32 ]; then
    echo "ENVIRONMENT=production takes no MYSQL_ROOT_PASSWORD of fewer than 32 characters." >&2
    exit 1
fi

# Whoever sits at the keyboard needs no password, except in production.
default='on nopass ~* &* +@all'
[ "${ENVIRONMENT:-}" != production ] || default=off
{
    echo "user default $default"
    sed -e '/^#/d' \
        -e "s|ORDERING_REDIS_PASSWORD|$(cat ordering/ORDERING_REDIS_PASSWORD)|" \
        -e "s|FULFILMENT_REDIS_PASSWORD|$(cat fulfilment/FULFILMENT_REDIS_PASSWORD)|" \
        "$infra/redis.acl"
} | put redis/users.acl
