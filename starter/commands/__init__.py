"""The commands of the CLI, a module per noun.

The one rule: a command parses, asks the ledger and prints; what it decides is decided in the lower folders. Modules of
those folders are imported inside the commands, so that `habeas --help` answers at once.
"""
