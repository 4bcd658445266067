"""What a role is shown of a MariaDB, and what is hidden from it.

The one rule: here a table, a foreign key or a trigger that a role has no right on does not exist for it. So before
anything is called absent, it is asked whether the role would be shown it; what cannot be told counts as hidden.
"""

import re
from typing import Any, Final

NEEDED: Final = ("SELECT", "TRIGGER")
_GRANT: Final = re.compile(r"GRANT (?P<rights>.+?) ON (?:`(?P<database>(?:[^`]|``)+)`|\*)\.\* TO ")


def unseen(cursor: Any) -> str:
    """Which rights the role lacks to be shown everything in its database, as a list; empty: it is shown everything.

    Raises:
        pymysql.Error: the database cannot be asked.
    """
    cursor.execute("SELECT DATABASE()")
    database = str(cursor.fetchone()[0])
    # Of the role itself, and of the roles that are in force for it.
    cursor.execute("SHOW GRANTS")
    had: set[str] = set()
    for (line,) in cursor.fetchall():
        match = _GRANT.match(line)
        if match and (match["database"] is None or _same(match["database"], database)):
            had |= {right.strip() for right in match["rights"].split(",")}
    return "" if "ALL PRIVILEGES" in had else ", ".join(right for right in NEEDED if right not in had)


def _same(pattern: str, database: str) -> bool:
    """Whether a grant is on a database; its name may be a pattern, as for LIKE."""
    parts = re.findall(r"\\.|.", pattern.replace("``", "`"), re.DOTALL)
    wild = {"_": ".", "%": ".*"}
    return re.fullmatch("".join(wild.get(part) or re.escape(part[-1]) for part in parts), database) is not None
