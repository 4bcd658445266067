"""A system that only a person can reach: a filing cabinet, a vendor's form, a wiki nobody may script.

The one rule: it never answers by itself. Every step becomes a task with the instructions that the data map gives.
"""

from collections.abc import Mapping
from typing import NoReturn

from connectors.errors import NeedsHuman
from connectors.protocol import Call
from rights.codes import Code
from rights.datamap import System


class Manual:
    """One system worked by hand."""

    def _by_hand(self, call: Call) -> NoReturn:
        """Ask a person.

        Raises:
            NeedsHuman: always, naming the collections to see to.
        """
        raise NeedsHuman(Code.MANUAL, ", ".join(work.collection for work in call.work))

    locate = export = erase = restrict = lift = rectify = verify = _by_hand


def build(system: System, secrets: Mapping[str, str]) -> Manual:
    """Build a system that people see to.

    Raises:
        ValueError: a collection says nobody what to do, or there is an option or a connection.
    """
    for name, collection in system.collections.items():
        if not collection.instructions:
            raise ValueError(f"collections.{name}: write instructions: 'what a person has to do'")
    if system.options:
        raise ValueError(f"options: '{min(system.options)}' is unknown: a manual system has none")
    if secrets:
        raise ValueError("connection: a manual system has none: leave it out")
    return Manual()
