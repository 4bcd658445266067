"""The preview of a request: what would be exported, erased and kept, before anything is.

The one rule: it is made from the stored plan and the last look, the same that the work itself goes by.
"""

from collections.abc import Iterable

from activities.facts import ParcelFacts
from ledger.standing import Standing
from rights.backups import lives_on
from rights.datamap import DataMap, Erase, Mode, System
from rights.plan import Operation, Work
from rights.receipt import Count, Kept, newest
from rights.request import Right
from rights.restriction import Extent
from starter.pages import Document
from starter.show import Cell, Page
from starter.systems import why_kept


def preview_document(standing: Standing, data_map: DataMap, extent: Extent | None = None) -> Document:
    """What would happen to each collection, as JSON. `data_map` is the one that the request is pinned to, `extent` what
    a restriction is about."""
    return {
        "request_id": standing.request.id,
        "right": standing.request.right,
        "unstated": list(_unstated(standing, data_map)),
        "map_digest": standing.plan.map_digest if standing.plan else standing.request.map_digest,
        "systems": [
            {"system": name, "mode": mode, "backups": _backups(data_map, name), "collections": list(collections)}
            for name, mode, collections in _preview(standing, data_map, extent)
        ],
    }


def _unstated(standing: Standing, data_map: DataMap) -> tuple[str, ...]:
    """What GDPR Art. 15(1) asks of the collections in which something was found, and the map leaves open."""
    if standing.request.right is not Right.ACCESS:
        return ()
    located = newest(standing.receipts, Operation.LOCATE)
    found = {f"{name}.{count.collection}" for name, r in located.items() for count in r.tally.counts if count.found}
    facts = ParcelFacts.of(standing.request.id, data_map, standing.request.clock, {})
    return tuple(one for one in facts.unstated if one.partition(":")[0] in found)


def _backups(data_map: DataMap, name: str) -> Document | None:
    backups = data_map.systems[name].backups
    return backups.model_dump() if backups else None


def _preview(
    standing: Standing, data_map: DataMap, extent: Extent | None
) -> Iterable[tuple[str, Mode, list[Document]]]:
    located = newest(standing.receipts, Operation.LOCATE)
    if standing.plan is None:
        return
    for part in standing.plan.systems:
        receipt = located.get(part.system)
        keeping = bool(receipt and receipt.tally.kept_rows)
        collections = []
        for work in part.works:
            count = receipt.tally.of(work.collection) if receipt else Count(collection=work.collection)
            effect = _effect(standing.request.right, work, count, keeping)
            if standing.request.right is Right.RESTRICTION:
                effect = _locked(data_map.systems[part.system], work.collection, count, extent or Extent())
            collections.append(effect)
        yield part.system, part.mode, collections


def _effect(right: Right, work: Work, count: Count, keeping: bool) -> Document:
    """What becomes of a collection's rows; `keeping` says that rows of the system are kept, here or elsewhere."""
    base: Document = {
        "collection": work.collection,
        "found": count.found,
        "mentions": count.mentions if count.searched else None,
    }
    if right is not Right.ERASURE:
        withheld = [one.field for one in work.withheld]
        return {**base, "exported": count.found, "fields": list(work.export), "withheld": withheld}
    return {
        **base,
        "goes": count.found - count.kept_rows,
        "how": _way(work, keeping),
        "kept": [kept.model_dump(mode="json") for kept in count.kept],
        "fields_emptied_where_kept": _emptied(work, count),
    }


def _locked(system: System, name: str, count: Count, extent: Extent) -> Document:
    """What a restriction locks away of a collection: whole records, whatever else stands in them."""
    locks = name in extent.locks(system)
    return {
        "collection": name,
        "found": count.found,
        "mentions": count.mentions if count.searched else None,
        "locked": count.found if locks else 0,
        "beyond": list(extent.beyond(system).get(name, ())),
    }


def _way(work: Work, keeping: bool) -> str:
    if work.erase is Erase.REDACT:
        return "fields rewritten"
    return "deleted, or stripped where kept rows point to it" if keeping and work.writes else "deleted"


def _emptied(work: Work, count: Count) -> list[str]:
    duties = {keep.ground: keep.writes for keep in work.keeps}
    # Kept by no duty of its own: a shell, or the map retains one of its fields.
    return sorted({write.field for kept in count.kept for write in duties.get(kept.ground, work.writes)})


def _add_mentions(page: Page, collections: Iterable[Document]) -> None:
    """What is neither given out nor erased before somebody has said whose it is."""
    asked = [f"{c['collection']} {c['mentions']:,}" for c in collections if c["mentions"]]
    if asked:
        said = f"rows in which a text mentions the person, for somebody to decide whose they are: {', '.join(asked)}"
        page.line(Cell(said, "warn"), indent=2)
    if unsearched := [c["collection"] for c in collections if c["mentions"] is None]:
        page.line(Cell(f"texts that could not be searched in time: {', '.join(unsearched)}", "warn"), indent=2)


def preview_page(standing: Standing, data_map: DataMap, extent: Extent | None = None) -> Page:
    """What would be given, erased and kept, before anything is."""
    row = standing.request
    page = Page().heading(f"Preview of {row.right} request {row.id}")
    for name, mode, collections in _preview(standing, data_map, extent):
        page.heading(f"{name} (mode {mode})")
        found = [c for c in collections if c["found"]]
        _add_mentions(page, collections)
        if not found:
            page.line(Cell("nothing held", "quiet"), indent=2)
        elif row.right is Right.ERASURE:
            page.grid(
                ("collection", "found", "goes", "how", "kept", "why kept", "emptied where kept"),
                (
                    (
                        c["collection"],
                        f"{c['found']:,}",
                        f"{c['goes']:,}",
                        c["how"] if c["goes"] else "",
                        f"{c['found'] - c['goes']:,}",
                        why_kept(Kept.model_validate(kept) for kept in c["kept"]),
                        ", ".join(c["fields_emptied_where_kept"]) if c["kept"] else "",
                    )
                    for c in found
                ),
                numbers=("found", "goes", "kept"),
            )
            page.line(Cell(f"what goes lives on {lives_on(data_map.systems[name].backups)}", "quiet"), indent=2)
        elif row.right is Right.RESTRICTION:
            page.grid(
                ("collection", "found", "locked", "locked with it, as records are locked whole"),
                ((c["collection"], f"{c['found']:,}", f"{c['locked']:,}", ", ".join(c["beyond"])) for c in found),
                numbers=("found", "locked"),
            )
        else:
            page.grid(
                ("collection", "rows given", "fields"),
                ((c["collection"], f"{c['found']:,}", ", ".join(c["fields"])) for c in found),
                numbers=("rows given",),
            )
    if open_ := _unstated(standing, data_map):
        page.line(Cell(f"the copy will say that the map leaves open: {', '.join(open_)}", "warn"))
    return page
