"""The only code that does I/O on Temporal's behalf; plain `def`, safe to run twice.

The one rule: arguments and results carry ids, codes, counts and times; the personal data stays between the ledger's
vault and the connector.
"""
