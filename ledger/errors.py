"""How the ledger says no.

* LedgerError
  - LedgerRefusal   the verb makes no sense as things stand; the text is a sentence for the person who asked
    - FenceRefused  (ledger/fence.py) a destructive call must not happen now; carries a code
    - KeyReused     an idempotency key belongs to another call
    - CarriedOut    a call was carried out, and its answer is lost
    - InProgress    the same call is being carried out just now
    - Changed       a request is not what the caller has seen
    - NewerLedger   the tables are of a later release than this program
    - StandsStill   (ledger/requests.py) a request is not closed while an incident has it stand still
  - VaultError      something sealed cannot be opened
    - KeyGoneError  because its key-encryption key is not there (any more)
  - ChainError      the chain's head is not where the entries end

The one rule: texts hold ids, names and dates; never a value of a person, never a driver's message.
"""


class LedgerError(Exception):
    """Everything the ledger raises by itself."""


class LedgerRefusal(LedgerError):
    """The verb makes no sense as things stand; the text says why, and what would."""


class KeyReused(LedgerRefusal):
    """An idempotency key belongs to another call."""


class CarriedOut(LedgerRefusal):
    """A call was carried out, and was cut off before its answer was kept."""


class InProgress(LedgerRefusal):
    """The same call is being carried out just now."""


class Changed(LedgerRefusal):
    """Something has happened to a request since the caller looked at it, so nothing was done."""


class NewerLedger(LedgerRefusal):
    """The ledger's tables are of a later release than this program, which does nothing with them."""


class VaultError(LedgerError):
    """Something sealed cannot be opened: it was changed, moved, or is not under this key."""


class KeyGoneError(VaultError):
    """A key-encryption key is not at its provider: destroyed, or the provider is another one than it was."""


class ChainError(LedgerError):
    """The chain's head is not where the entries end, so nothing can be added: run `habeas ledger verify`."""


class AddressError(ValueError):
    """The ledger's address is none of a PostgreSQL database. It is not quoted: it holds a password."""

    def __init__(self) -> None:
        super().__init__("the ledger's address cannot be read: write postgresql://user:password@host:5432/database")
