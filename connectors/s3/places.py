"""Where fields of a person stand within objects: inside files, in their metadata and in their tags.

The one rule: the map says so, field by field. Nothing else of an object is ever corrected, and whoever wrote the map
knows which files have what.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from connectors.s3.cells import Rewrite
from connectors.s3.csvcells import rewrite_csv
from connectors.s3.jsoncells import rewrite_document, rewrite_lines

FORMATS: Final[Mapping[str, Rewrite]] = {
    ".csv": rewrite_csv,
    ".json": rewrite_document,
    ".jsonl": rewrite_lines,
    ".ndjson": rewrite_lines,
}
"""By ending, what corrects a file."""
_METADATA: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,128}")
"""Names of metadata; stores write them in lower case."""
_PLACE: Final = re.compile(r"\s*(?P<field>[^\s=]+)\s*=\s*(?P<where>[^#]*?)#(?P<name>.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Places:
    """What the map says of a collection."""

    inside: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By the ending of a key, for each field the column, or the members with a dot between them."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """For each field the name of the metadata."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """For each field the name of the tag."""

    @classmethod
    def read(cls, where: str, texts: Sequence[str]) -> Self:
        """Take places as the map has them: full_name = .json#name, owner = tag#owner, owner = metadata#owner.

        Raises:
            ValueError: one is wrong; the text says what to write.
        """
        found: dict[str, dict[str, str]] = {"tag": {}, "metadata": {}}
        for text in texts:
            match = _PLACE.fullmatch(text)
            here = f"{where}: places: '{text}'"
            if match is None:
                raise ValueError(f"{here}: write FIELD = .json#NAME, FIELD = tag#NAME or FIELD = metadata#NAME")
            field, kind, name = match["field"], match["where"], match["name"]
            if kind not in found and _format(kind) is None:
                raise ValueError(f"{here}: write tag, metadata or an ending such as {', '.join(FORMATS)} before #")
            if kind == "metadata" and not _METADATA.fullmatch(name):
                raise ValueError(f"{here}: write the name in lower case, without x-amz-meta- before it")
            fields = found.setdefault(kind, {})
            if field in fields or name in fields.values():
                raise ValueError(f"{here}: field or place is said twice: leave one out")
            fields[field] = name
        return cls(tags=found.pop("tag"), metadata=found.pop("metadata"), inside=found)

    @property
    def fields(self) -> frozenset[str]:
        """All fields that have a place."""
        return frozenset((*self.metadata, *self.tags, *(name for found in self.inside.values() for name in found)))

    def of(self, key: str) -> Mapping[str, tuple[str, ...]]:
        """For each field that stands inside the file of a key, what leads to it; by the longest ending that fits."""
        ending = max((one for one in self.inside if key.endswith(one)), key=len, default="")
        found = self.inside.get(ending, {})
        return {name: (place,) if ending.endswith(".csv") else tuple(place.split(".")) for name, place in found.items()}


def rewrite_of(key: str) -> Rewrite:
    """What corrects the file of a key that has fields inside."""
    found = _format(key)
    assert found is not None  # noqa: S101 - by `Places.read`
    return found


def _format(key: str) -> Rewrite | None:
    return next((found for ending, found in FORMATS.items() if key.endswith(ending)), None)
