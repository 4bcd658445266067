"""A ledger per test, as the ledger's own tests have it."""

from tests.ledger.conftest import checkpoints, door, keys, ledger, make_ledger, tables, template

__all__ = ["checkpoints", "door", "keys", "ledger", "make_ledger", "tables", "template"]
