"""Names of tables and columns, taken apart into words.

The one rule: `CustomerID`, `customer_id` and `customerId` are the same two words.
"""

import re
from functools import lru_cache
from typing import Final

_PARTS: Final = re.compile(r"[A-ZÄÖÜ]+(?![a-zäöüß])|[A-ZÄÖÜ]?[a-zäöüßéèêàçî]+|\d+")
_UMLAUTS: Final = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "ê": "e", "à": "a", "ç": "c", "î": "i"}
)
_PLURAL_IES: Final = re.compile(r"(?<=[b-df-hj-np-tv-z])ies$")
_PLURAL_ES: Final = re.compile(r"(?<=s|x|z)es$|(?<=ch|sh)es$")
_PLURAL_S: Final = re.compile(r"(?<![siu])s$")
_ODD: Final = {"people": "person", "persons": "person", "children": "child", "staff": "staff", "status": "status"}
_GERMAN: Final = {
    "kunden": "kunde",
    "benutzer": "benutzer",
    "nutzer": "nutzer",
    "personen": "person",
    "mitglieder": "mitglied",
    "patienten": "patient",
    "bestellungen": "bestellung",
    "rechnungen": "rechnung",
    "adressen": "adresse",
    "anschriften": "anschrift",
    "zahlungen": "zahlung",
    "lieferanten": "lieferant",
    "abonnenten": "abonnent",
    "schueler": "schueler",
}


@lru_cache(maxsize=65_536)
def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case and without accents; digits are left out."""
    found = (part.lower().translate(_UMLAUTS) for part in _PARTS.findall(name))
    return tuple(part for part in found if not part.isdigit())


def singular(word: str) -> str:
    """A word's singular, as far as the ordinary endings of English, and a few German plurals, go."""
    if known := _ODD.get(word) or _GERMAN.get(word):
        return known
    for ending, instead in ((_PLURAL_IES, "y"), (_PLURAL_ES, ""), (_PLURAL_S, "")):
        changed = ending.sub(instead, word)
        if changed != word:
            return changed
    return word


@lru_cache(maxsize=65_536)
def noun(table: str) -> str:
    """What one row of a table is: `order_items` is an order_item."""
    parts = words(table)
    return "_".join((*parts[:-1], singular(parts[-1]))) if parts else ""
