"""How long a draft or a check may ask for.

The one rule: the system's own users go first.
"""

from typing import Final

STATEMENT_TIMEOUT: Final = 30
"""Seconds for one question to the catalogue; that of a thousand tables is answered in two."""
SAMPLE_TIMEOUT: Final = 2
"""Seconds for one look at a table's values: its first rows by key, or none."""
LOCK_TIMEOUT: Final = 2
"""Seconds to wait for a table that somebody is changing."""
