#!/bin/sh
# Makes the secrets of compose.yaml in deploy/secrets/ (or the folder named), and never changes one that is there.
set -eu
umask 077
host="${HOST_NAME:-portal.example.org}"
folder="${1:-$(dirname "$0")/secrets}"
mkdir -p "$folder"
cd "$folder"

make() { # make NAME COMMAND...
    name="$1"
    shift
    [ -s "$name" ] || "$@" >"$name"
}
random() { openssl rand -base64 "$1" | tr -d '\n=' | tr '+/' '-_'; }
database_url() { printf 'postgres://portal:%s@postgres:5432/portal' "$(cat postgres_password)"; }
redis_conf() { printf 'requirepass %s\nsave ""\nappendonly no\n' "$(random 32)"; }
cache_url() { printf 'redis://:%s@redis:6379/1' "$(sed -n 's/^requirepass //p' redis.conf)"; }

make secret_key random 48
make platform_signing_key openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048
make field_encryption_keys openssl rand -base64 32
make blind_index_key openssl rand -base64 32
make metrics_token random 32
make postgres_password random 32
make database_url database_url
make redis.conf redis_conf
make cache_url cache_url
# A certificate to try it with; put a real one in its place.
if [ ! -s tls_key ] || [ ! -s tls_certificate ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout tls_key -out tls_certificate 2>/dev/null
fi
# The containers' own users read them: they are no others of this machine's, so the folder above keeps others out.
chmod 644 -- *
