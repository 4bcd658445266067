"""How a MariaDB is reached, limited, questioned and understood (docs/mariadb.md)."""
