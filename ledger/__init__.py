"""The records kept: the only place that knows the ledger's tables. PostgreSQL through SQLAlchemy Core.

The one rule: a verb is one transaction, and what it promises to remember is committed when it returns.
"""
