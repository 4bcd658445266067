#!/bin/sh
# Makes the secrets of compose.yaml, each in a file of its own under deploy/secrets; those that are there stay.
# Nothing is printed. Run it once, as the user who runs compose; as root, the files are given to the containers' user.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
random() { od -An -tx1 -N24 /dev/urandom | tr -d ' \n'; }
new() { [ -s "secrets/$1" ] || cat > "secrets/$1"; }

random | new postgres_password
random | new temporal_password
random | new ledger_password
random | new s3_key
random | new s3_secret
random | new oidc_secret
printf 'postgresql://habeas:%s@postgres:5432/habeas' "$(cat secrets/ledger_password)" | new ledger_url
printf '{"identities": [{"name": "habeas", "credentials": [{"accessKey": "%s", "secretKey": "%s"}], "actions": ["Admin"]}]}' \
  "$(cat secrets/s3_key)" "$(cat secrets/s3_secret)" | new s3_accounts.json
[ -s secrets/checkpoint.pem ] || openssl genpkey -algorithm ed25519 -out secrets/checkpoint.pem
# The trial's OpenID provider speaks TLS, by a certificate that vouches for itself; a browser asks once whether you believe it.
[ -s secrets/oidc.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
  -subj /CN=oidc.localhost -addext subjectAltName=DNS:oidc.localhost -keyout secrets/oidc.key -out secrets/oidc.pem 2>/dev/null
if [ "$(id -u)" = 0 ]; then
  # Who reads what: Habeas' own user, and the database's.
  chown 10001:10001 secrets/ledger_url secrets/checkpoint.pem secrets/oidc_secret
  chmod 0644 secrets/oidc.pem
  chown 1001:1001 secrets/oidc.key
  chown 70:70 secrets/postgres_password secrets/ledger_password
  chown 1000:1000 secrets/temporal_password secrets/s3_accounts.json
fi
