"""Taking in what another controller sends (GDPR Art. 20(2)): checked, put into quarantine, receipted, and no more.

The one rule: nothing that comes in is imported, run or believed. What is taken in is whole, signed by a known sender,
and lies where a person has to look for it.
"""

from starter.receiving.intake import Intake, RefusedError
from starter.receiving.server import serve

__all__ = ["Intake", "RefusedError", "serve"]
