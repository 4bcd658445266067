"""The table of reports that data is a child's."""

from typing import Final

from sqlalchemy import Column, LargeBinary, Table, Text

from ledger.columns import count, key, moment, of_request, tenant
from ledger.models import metadata

minor_reports: Final = Table(
    "minor_reports",
    metadata,
    tenant(),
    key("request_id"),
    Column("restriction_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("reporter", LargeBinary, nullable=False),
    moment("reported_at"),
    Column("word", Text),
    Column("indication", Text),
    moment("ruled_at", nullable=True),
    count("told"),
    moment("told_at", nullable=True),
    count("level"),
    of_request(),
)
"""`request_id` erases once ruled so, `restriction_id` has put the data out of use. `reporter` is a keyed digest of
a role; `word`: child or not_child, empty while nobody has ruled. `told` channels were written to, all that there
are once `told_at` is set; `level` is how often a ruling was asked for in vain."""
