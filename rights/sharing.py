"""Rows that are more than one person's: a message of two, an account held jointly.

The one rule: what is somebody else's is neither given out nor taken. Of such a row only the fields that a link names
are the person's whom it leads to, and the row goes only when it leads to nobody else.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from rights.collection import Collection, Erase, Link
from rights.fields import Strategy

if TYPE_CHECKING:
    from rights.datamap import System

GROUND: Final = "shared with another person"
"""On which a row is kept that is somebody else's too. It stands in answers and receipts."""


def owners(collection: Collection) -> tuple[Link, ...]:
    """The links that say whose a shared row is, followed or not."""
    return tuple(link for link in collection.links if link.kind == "shared")


def treatment(collection: Collection) -> Literal["keep", "redact", "ask"] | None:
    """What becomes of a row that is somebody else's too; None: the collection's rows are not shared."""
    return next((link.shared for link in collection.shares), None)


def named(collection: Collection, field: str) -> tuple[int, ...]:
    """Whose a field is: the places among `owners` of the links that name it, or are read from it."""
    return tuple(
        number
        for number, link in enumerate(owners(collection))
        if field in link.fields or field in collection.bases(link.field)
    )


def cut(collection: Collection, link: Link) -> tuple[str, ...]:
    """The fields of a link that an erasure may rewrite; it then leads to nobody any more."""
    return tuple(base for base in collection.bases(link.field) if collection.fields[base].rewritten)


def open_to_all(collection: Collection, field: str) -> bool:
    """Whether a field tells of nobody, and only which row it is."""
    about = collection.fields[field]
    return field in collection.key and about.category is None and about.identity is None


def to_many(collections: Mapping[str, Collection], link: Link) -> bool:
    """Whether a link may lead from one row to several: to all holders of an account, and not to a message's sender."""
    target, field = link.target
    return not set(collections[target].key) <= set(collections[target].bases(field))


def needs_its_target(collections: Mapping[str, Collection], name: str, link: Link) -> bool:
    """Whether a row that stays may keep what a link points to, as a shell. A shared row holds on to none of those whose
    it is by a list of them, nor to whom it does not name any more; and where it has but one link, it is somebody else's
    only if what it points to is, which then stays by itself."""
    if not link.shared:
        return True
    collection = collections[name]
    goes = not collection.retention and collection.erase is not Erase.RETAIN
    lets_go = goes and link.shared == "redact" and bool(cut(collection, link))
    hangs = goes and collection.erase is Erase.DELETE and len(owners(collection)) == 1
    return not (to_many(collections, link) or lets_go or hangs)


def check(system: "System") -> None:
    """Refuse what would leave open whose a row is.

    Raises:
        ValueError: the text says what to write.
    """
    for name, collection in system.collections.items():
        if collection.shares:
            try:
                _whole(collection)
            except ValueError as error:
                raise ValueError(f"collections.{name}: {error}") from error
            if system.circular(name):
                raise ValueError(
                    f"collections.{name}: its rows are shared and links lead back to it: take out the link that does"
                )
        for link in collection.links:
            if link.kind == "unique" and system.collections[link.target[0]].shares:
                raise ValueError(
                    f"collections.{name}: the link to '{link.to}' is unique, and rows there are shared: write "
                    "kind: shared with shared: keep, redact or ask"
                )


def _whole(collection: Collection) -> None:
    if len({link.shared for link in collection.shares}) > 1:
        raise ValueError("its links say different things under shared: write the same at each")
    told = [f"the link by '{link.field}'" for link in collection.links if link.kind == "unique"]
    told += [f"'{field}'" for field, about in collection.identities.items() if about.sharing != "hint"]
    if told:
        raise ValueError(
            f"a link is shared, and {told[0]} says that a row is one person's: make it shared (an identity: a hint), "
            "or take out shared"
        )
    for field, about in collection.fields.items():
        if about.yields:
            raise ValueError(f"'{field}' yields what several people may share, which is told nowhere: leave out yields")
    for link in collection.shares:
        _told_apart(collection, link)


def _told_apart(collection: Collection, link: Link) -> None:
    """A field that tells whose a row is is one link's, and of what one of them has nothing is left behind."""
    others = {base for other in owners(collection) if other != link for base in collection.bases(other.field)}
    for field in link.fields:
        if field in others:
            raise ValueError(f"the link by '{link.field}' names '{field}', which is that of another link: leave it")
    for base in collection.bases(link.field):
        if collection.fields[base].strategy is Strategy.GENERALISE:
            raise ValueError(
                f"'{base}' tells whose a shared row is and cannot be generalised: choose null, constant, anonymise or "
                "pseudonym"
            )
    for field in (*collection.bases(link.field), *link.fields) if link.shared == "redact" else ():
        about = collection.fields[field]
        if (about.category or about.identity) and about.strategy in {None, Strategy.DELETE}:
            raise ValueError(
                f"shared: redact leaves rows behind, so the field '{field}' needs a strategy: null, constant, "
                "generalise, anonymise, pseudonym, or retain with a ground"
            )
