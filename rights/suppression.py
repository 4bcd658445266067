"""What a person may have stopped, and the form of an identity under which that is remembered.

The one rule: whoever has asked for something to stop is recognised again however the same address is written, and by
nothing that could be read back: the ledger keeps keyed tokens of what `comparables` gives (ledger/suppression.py).
"""

import unicodedata
from collections.abc import Collection as Many
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from rights.spellings import PHONES, e164, in_letters
from rights.subject import Identity, comparable, unseen
from rights.value import Value

if TYPE_CHECKING:
    from rights.datamap import System


class Scope(StrEnum):
    """What the person's data may no longer be used for."""

    MARKETING = "marketing"
    """Direct marketing (GDPR Art. 21(2), (3))."""
    MARKETING_PROFILING = "marketing_profiling"
    """Profiling to the extent that it is related to direct marketing (Art. 21(2), last words)."""
    PROFILING = "profiling"
    """For any other purpose."""
    ANALYTICS = "analytics"
    SALE = "sale"
    SHARING = "sharing"
    """Sharing for cross-context behavioural advertising (Cal. Civ. Code 1798.140(ah))."""
    TARGETED_ADVERTISING = "targeted_advertising"
    SENSITIVE = "sensitive"
    """Sensitive data, beyond what the service needs (1798.121)."""
    LEGITIMATE_INTEREST = "legitimate_interest"
    RESEARCH = "research"
    PUBLIC_TASK = "public_task"
    CONSENT = "consent"
    """Whatever rests on a consent that was withdrawn (GDPR Art. 7(3)), of the purpose that goes with it."""
    COLLECTION = "collection"
    """Anything more: a parent has refused to permit further use and further collection (16 CFR 312.6(a)(2))."""


class Source(StrEnum):
    """Who or what said so."""

    PERSON = "person"
    GPC = "gpc"
    """Global Privacy Control: the header Sec-GPC of a browser."""
    UOOM = "uoom"
    """Another universal opt-out mechanism (4 CCR 904-3, Rule 5.02)."""
    AGENT = "agent"


GPC_STOPS: Final = (Scope.SALE, Scope.SHARING, Scope.TARGETED_ADVERTISING)
"""What the signal asks for: no sale, no sharing, and no targeted advertising where the law of a state says so
(11 CCR 7025(c)(1)). It does not limit the use of
sensitive data (GPC explainer, 4)."""

ALL_USES: Final = (
    Scope.MARKETING,
    Scope.MARKETING_PROFILING,
    Scope.PROFILING,
    Scope.ANALYTICS,
    Scope.SALE,
    Scope.SHARING,
    Scope.TARGETED_ADVERTISING,
    Scope.SENSITIVE,
    Scope.LEGITIMATE_INTEREST,
    Scope.RESEARCH,
)
"""What a refusal of further use and collection stops in the systems. On the list it stands under its own name alone, so
that its end brings nothing back that was stopped otherwise."""


def bars(stopped: Scope, use: str) -> bool:
    """Whether what was stopped bars a use: itself, and a refusal of further collection bars every one."""
    return stopped == use or stopped is Scope.COLLECTION


CLEARED_BY_CONSENT: Final = frozenset({Scope.MARKETING})
"""What a person's own renewed consent ends, as by signing up for a newsletter again; nothing else is ended by it."""


_DOTLESS: Final = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
"""Hosts that take `a.b+shop@` and `ab@` for one mailbox, and say so."""


def comparables(identity: Identity, calling_code: str = "") -> Mapping[int, str]:
    """The forms in which an identity is compared, by version of the form; of two that say the same the first. What is
    remembered in an earlier one stays valid: whoever asks is compared in all of them.

    Case makes no difference to any kind: a block that covers one person too many is noticed by that person, and one
    that misses the person is not. Phone numbers are brought to E.164; a national one by `calling_code` ("+49"), and
    without it by its digits.
    """
    first = _first(identity, calling_code)
    second = unseen(_with_one_domain(first) if identity.kind == "email" else first)
    return {
        version: f"{identity.kind}\0{form}"
        for version, form in ((1, first), (2, second))
        if version == 1 or form != first
    }


def told_apart(identity: Identity, *, casefold: bool) -> str:
    """The form in which the data map tells an identity from all others. Several of them may be one in `comparables`,
    which would rather cover one person too many: two customer numbers that differ in case, two tags of one mailbox."""
    if identity.kind in PHONES:
        return _first(identity, "")
    return comparable(identity.value.strip(), casefold=casefold)


def _first(identity: Identity, calling_code: str) -> str:
    text = comparable(identity.value.strip(), casefold=True)
    if identity.kind == "email" and "@" in text:
        local, _, host = text.rpartition("@")
        if host in _DOTLESS:
            return f"{local.partition('+')[0].replace('.', '')}@{_DOTLESS[host]}"
        return f"{local}@{host}"
    if identity.kind in PHONES:
        return e164(unicodedata.normalize("NFKC", text), calling_code)
    return text


def _with_one_domain(address: str) -> str:
    """An address with its domain in letters, whether that was written so or in ASCII (anna@xn--bcher-kva.example)."""
    return comparable(in_letters(address), casefold=True)


class Stop(Value):
    """What is to stop, and where. Codes and names of the map only."""

    scopes: tuple[Scope, ...] = ()
    """What was named, and after it what goes with it."""
    purposes: tuple[str, ...] = ()
    """Only in rows of these purposes or categories of the map; none: in all that are used for the scopes."""
    consent: bool = False
    """The consent for these purposes is withdrawn: whatever rests on it stops."""

    @property
    def remembered(self) -> tuple[Scope, ...]:
        """The scopes under which it is remembered."""
        if Scope.COLLECTION in self.scopes:
            return (Scope.COLLECTION,)
        return (*self.scopes, *((Scope.CONSENT,) if self.consent else ()))


def stops_in(
    system: "System", stop: Stop, offered: Mapping[str, Many[Scope]] = MappingProxyType({})
) -> dict[str, tuple[Scope, ...]]:
    """Per collection of a system, what is to stop there; collections that are not concerned are left out.

    `offered` is what the system's connector can stop by itself in a collection, whether or not the map says that it is
    used for that.
    """
    found: dict[str, tuple[Scope, ...]] = {}
    for name, collection in system.collections.items():
        used = (*collection.uses, *collection.opt_out)
        meant = _meant(stop.purposes, collection.purpose, collection.categories)
        if stop.consent:
            wanted = [*used, Scope.CONSENT] if meant and collection.rests_on_consent else []
        elif stop.purposes:
            # Whoever names a purpose means its rows, whatever else the map says of them; what goes with an objection
            # without having been named stops where there is any.
            there = {*used, *offered.get(name, ()), *stop.scopes[:1]}
            wanted = [scope for scope in stop.scopes if scope in there] if meant else []
        else:
            wanted = [scope for scope in stop.scopes if scope in used or scope in offered.get(name, ())]
        if wanted:
            found[name] = tuple(dict.fromkeys(wanted))
    return found


def _meant(purposes: Many[str], purpose: str, categories: Many[str]) -> bool:
    wanted = {text.casefold() for text in purposes}
    return purpose.casefold() in wanted or not wanted.isdisjoint(text.casefold() for text in categories)


def gpc_signals(header: str | None) -> bool:
    """Whether a request's `Sec-GPC` header says that data is not to be sold or shared: exactly `1`, and nothing else.

    An absent header says nothing; any other value is no signal (GPC, 3.1)."""
    return header == "1"


def gpc_document(last_update: date) -> dict[str, object]:
    """What a site says under `/.well-known/gpc.json` when it acts on the signal (GPC, 4)."""
    return {"gpc": True, "lastUpdate": last_update.isoformat()}
