#!/bin/sh
# What the image runs: web, migrate, worker [COMMAND], daily, healthy, collect; anything else goes to manage.py.
set -eu
cd "$(dirname "$0")/.."

new_key() { head -c 32 /dev/urandom | base64; }

# One address of this process: a worker's when it has a METRICS_PORT, else that of the web server.
ask() {
    exec python - <<'END'
import os
import sys
import urllib.error
import urllib.request

worker = os.environ.get("METRICS_PORT", "0")
port = worker if worker != "0" else os.environ.get("PORT", "8000")
host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0]
request = urllib.request.Request(f"http://127.0.0.1:{port}/healthz", headers={"Host": host})
try:
    urllib.request.urlopen(request, timeout=4)
except urllib.error.HTTPError as answer:
    # A worker knows no such page; that it says so is a sign of life.
    sys.exit(0 if worker != "0" and answer.code == 404 else 1)
except OSError as error:
    sys.exit(f"no answer: {error}")
END
}

case "${1:-web}" in
web)
    # Worker processes share what they count; what another life counted is forgotten.
    export PROMETHEUS_MULTIPROC_DIR="${PROMETHEUS_MULTIPROC_DIR:-/tmp/portal-metrics}"
    mkdir -p "$PROMETHEUS_MULTIPROC_DIR"
    rm -f "$PROMETHEUS_MULTIPROC_DIR"/*.db
    if [ "${LOG_FORMAT:-line}" = json ]; then set -- --log-config deploy/granian-log.json; else set --; fi
    exec granian --interface wsgi --host "${HOST:-0.0.0.0}" --port "${PORT:-8000}" --workers "${WEB_WORKERS:-2}" \
        --blocking-threads 2 --no-ws --respawn-failed-workers "$@" portal.wsgi:application
    ;;
migrate)
    exec python manage.py migrate --noinput
    ;;
worker)
    shift
    if [ $# -eq 0 ]; then set -- work; fi
    exec python manage.py "$@"
    ;;
daily)
    # `wait` lets the signal that ends the container through.
    trap 'kill "$!" 2>/dev/null; exit 0' TERM INT
    while :; do
        python manage.py cleanup || echo "cleanup failed; it is tried again tomorrow" >&2
        sleep 86400 &
        wait "$!"
    done
    ;;
healthy)
    ask
    ;;
collect)
    ALLOWED_HOSTS=build.invalid SECRET_KEY="$(new_key)$(new_key)" FIELD_ENCRYPTION_KEYS="$(new_key)" \
    BLIND_INDEX_KEY="$(new_key)" DATABASE_URL=sqlite://:memory: \
    PLATFORM_SIGNING_KEY="$(python -c 'from portal import keys; print(keys.new_private_key())')" \
        exec python manage.py collectstatic --noinput
    ;;
*)
    exec python manage.py "$@"
    ;;
esac
