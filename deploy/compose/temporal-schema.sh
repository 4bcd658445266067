#!/bin/sh
# Temporal's tables, made or brought to this version; it may be run again.
set -eu
SQL_PASSWORD=$(cat /run/secrets/temporal_password)
export SQL_PASSWORD
for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%:*} schema=${pair#*:}
  tool() { temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal --db "$database" "$@"; }
  # Refused where it was done before; an update then has nothing to do.
  tool setup-schema -v 0.0 || true
  tool update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
