"""Letters about an authority's demand: what they say, and that they are written when their time has come.

The one rule: they say what the ledger has of the demand, in names of the data map; of the person the exporter reads
only the identities by which it knows them.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from activities.letters import Rendered, render
from activities.tools import Tools
from ledger.ledger import Ledger
from ledger.letters import Channel
from ledger.notices import reached_by
from rights.authorities import Demand
from rights.authoritylaw import Word
from rights.datamap import DataMap
from rights.demandletters import KINDS, Whom, result
from rights.letters import LANGUAGES, Language, LetterFacts, Office, Party
from rights.recipients import Register
from rights.reckoning import local_day


class House(NamedTuple):
    """From what a letter is written."""

    ledger: Ledger
    register: Register
    data_map: DataMap
    office: Office

    @classmethod
    def of(cls, tools: Tools) -> "House":
        """That of a worker."""
        return cls(tools.ledger, tools.register, tools.data_map, tools.office)


def write_due_letters(tools: Tools, demand: Demand, at: datetime) -> None:
    """Queue the letters about a demand that are due."""
    tools.ledger.queue_demand_letter(demand.id, Whom.PERSON, at=at)
    if demand.exporter and not exporter_refused(tools.register, demand, at):
        recipient = tools.register.recipients[demand.exporter]
        tools.ledger.queue_demand_letter(demand.id, Whom.EXPORTER, at=at, channel=reached_by(recipient))


def exporter_refused(register: Register, demand: Demand, at: datetime) -> str:
    """Why the exporter is not written to by the engine; empty where it may be."""
    refused = register.refuses(demand.exporter, local_day(at, demand.zone), [demand.regime])
    if refused:
        return refused.says
    by_system = register.recipients[demand.exporter].told_by.system is not None
    return "its told_by is a system, which takes no letters" if by_system else ""


def render_about(house: House, demand: Demand, whom: Whom, at: datetime, language: Language | None = None) -> Rendered:
    """A letter about a demand, as it reads now.

    Raises:
        ValueError: something that it must say is missing, or must not leave.
    """
    asked = next((one for one in LANGUAGES if one == demand.language), house.office.language)
    return render(_facts(house, demand, whom, at, language or asked), house.office)


def _facts(house: House, demand: Demand, whom: Whom, at: datetime, language: Language) -> LetterFacts:
    ledger, register, data_map = house.ledger, house.register, house.data_map
    authority, exporter = register.recipients.get(demand.authority), register.recipients.get(demand.exporter)
    given = [place for place, rows in demand.rows.items() if rows] if demand.gives and demand.handed_at else []
    handed = demand.handed_at if demand.gives else None
    knows_by = exporter.knows_by if exporter and whom is Whom.EXPORTER else ()
    return LetterFacts(
        kind=KINDS[whom],
        reference=demand.id,
        regime=demand.regime,
        written_on=local_day(at, demand.zone),
        language=language,
        received=local_day(demand.received_at, demand.zone),
        zone=demand.zone,
        to=_party(ledger.demand_channel(demand.id, whom)),
        requester=f"{authority.name} ({authority.country})" if authority else None,
        demand_kind=demand.kind.value,
        demanded=_categories(data_map, demand.demanded, ()),
        demanded_days=demand.dates,
        demand_basis=ledger.demand_text(demand.id, "basis"),
        result=result(demand),
        response="challenged" if demand.in_force and demand.word is Word.CHALLENGE else "examined",
        disclosed=_categories(data_map, given, demand.scope.without),
        disclosed_days=demand.scope.days if handed else None,
        disclosed_undated=demand.scope.undated if handed else None,
        disclosed_rows=sum(demand.rows.values()) if handed else None,
        disclosed_on=local_day(handed, demand.zone) if handed else None,
        was_forbidden=True if demand.gagged else None,
        about=tuple((one.kind, one.value) for one in ledger.demand_people(demand.id) if one.kind in knows_by),
    )


def _party(channel: Channel | None) -> Party:
    if channel is None:
        return Party()
    lines = tuple(channel.address.splitlines())
    return (
        Party(name=channel.name, address=lines)
        if channel.kind == "post"
        else Party(name=channel.name, email=channel.address)
    )


def _categories(data_map: DataMap, places: Iterable[str], without: Iterable[str]) -> tuple[str, ...]:
    """The categories of collections; of one without any, or that has left the map, its own name."""
    found: set[str] = set()
    for place in places:
        system, _, name = place.partition(".")
        known = data_map.systems.get(system)
        collection = known.collections.get(name) if known else None
        found |= (collection.categories if collection else set()) or {name}
    return tuple(sorted(found - set(without)))
