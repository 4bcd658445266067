#!/bin/sh
# Makes the secrets of compose.yaml, each in a file of its own under deploy/secrets; those that are there stay.
# Nothing is printed. Run it once, as root (sudo deploy/secrets.sh): compose hands files on with the owner that they have,
# so each belongs to the user of the container that reads it, and nobody else may.
set -eu
if [ "$(id -u)" != 0 ]; then
  echo "secrets.sh: run it as root (sudo deploy/secrets.sh): each file is given to the user of the container that reads it" >&2
  exit 1
fi
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
# Compose, which need not be root, has to see that they are there.
chmod 0711 secrets
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
# The mail sink's, which the worker checks; a name on the inner network.
[ -s secrets/mail.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
  -subj /CN=mail -addext subjectAltName=DNS:mail -keyout secrets/mail.key -out secrets/mail.pem 2>/dev/null
# Who reads what, by the users of compose.yaml. Two read these: one as the owner, the other by its group.
chown 1000:70 secrets/temporal_password
chown 10001:1001 secrets/oidc_secret
chmod 0640 secrets/temporal_password secrets/oidc_secret
chown 10001:10001 secrets/ledger_url secrets/checkpoint.pem
chown 70:70 secrets/postgres_password secrets/ledger_password
chown 1000:1000 secrets/s3_accounts.json secrets/mail.key
chown 1001:1001 secrets/oidc.key
# Certificates are no secret.
chmod 0644 secrets/oidc.pem secrets/mail.pem
