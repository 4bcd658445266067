"""How a SQLite file is opened, limited, questioned and understood (docs/sqlite.md)."""
