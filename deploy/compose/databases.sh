#!/bin/sh
# Run once by the database's image, on an empty volume: a role and a database each for the ledger and for Temporal.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" \
  --set ledger="$(cat /run/secrets/ledger_password)" --set temporal="$(cat /run/secrets/temporal_password)" <<'SQL'
CREATE ROLE habeas LOGIN PASSWORD :'ledger';
CREATE DATABASE habeas OWNER habeas;
CREATE ROLE temporal LOGIN PASSWORD :'temporal';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
SQL
