"""Where a person's objects lie: a key, or all keys under one, with the value of an identity in it.

The one rule: a value fills one place between two slashes and nothing more. `users/{user_id}/` with the value 1 takes
`users/1/a` and neither `users/10/a` nor `users/2/a`, whatever the value is.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

LONGEST_KEY: Final = 1024
"""Bytes of a key in UTF-8, as S3 has it."""
_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_$-]*)(:lower)?\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A key (`avatars/{user_id}.png`) or, if it ends with a slash, everything under it (`users/{user_id}/`)."""

    before: str
    field: str
    after: str
    lower: bool = False

    @property
    def whole_folder(self) -> bool:
        """Whether it stands for everything under it."""
        return self.after.endswith("/")

    @classmethod
    def read(cls, text: str) -> Self:
        """Take a template as the map has it.

        Raises:
            ValueError: it could take what is not the person's, or takes nothing; the text says what to write.
        """
        where = f"keys: '{text}'"
        places = list(_PLACE.finditer(text))
        rest = _PLACE.sub("", text)
        if "{" in rest or "}" in rest:
            raise ValueError(f"{where}: write the place of an identity as {{field}} or {{field:lower}}")
        if "*" in rest or "?" in rest:
            raise ValueError(f"{where}: there are no patterns: end it with / for everything under it")
        if not places:
            raise ValueError(f"{where} is everybody's: put the field of an identity in it, such as users/{{user_id}}/")
        if len(places) > 1:
            raise ValueError(f"{where} has several places, and where one ends is open: write one field in each")
        if not rest:
            raise ValueError(f"{where} is a whole key: write the field under whole_keys, or users/{{field}}/")
        if any(part in {".", ".."} for part in rest.split("/")):
            raise ValueError(f"{where}: write it without the parts . and ..")
        (place,) = places
        return cls(text[: place.start()], place[1], text[place.end() :], bool(place[2]))

    def keys(self, value: str) -> Iterator[str]:
        """The keys (or, of a folder, the beginnings of keys) for an identity's value, in both forms that Unicode has.

        Nothing if the value cannot stand between two slashes, or would make a key that no store takes.
        """
        value = value.lower() if self.lower else value
        if not fits(value):
            return
        for form in dict.fromkeys(unicodedata.normalize(form, value) for form in ("NFC", "NFD")):
            key = f"{self.before}{form}{self.after}"
            part = f"{self.before.rpartition('/')[2]}{form}{self.after.partition('/')[0]}"
            if part not in {".", ".."} and len(key.encode()) <= LONGEST_KEY:
                yield key


def fits(value: str) -> bool:
    """Whether a value can stand between two slashes of a key."""
    return bool(value) and "/" not in value and not any(unicodedata.category(c) in {"Cc", "Cs"} for c in value)
