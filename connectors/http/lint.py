"""What the types of a vendor file cannot say: that its parts fit together.

The one rule: a file that would search by nothing, log a secret, change what it only looks at, or leave open whether an
operation is offered, is refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from connectors.http.schema import Collection, Erase, Rectify, Vendor, Write
from connectors.http.steps import Call, Download, Each, Poll, Request, Step, UntilEmpty
from connectors.http.template import PLACE, places
from rights.yamlfile import Path

Problem = tuple[Path, str]
_REQUEST: Final = ("call", "poll", "download", "query", "headers", "form", "json")
"""The parts of a step that make its request; the others are read of its answer."""


def problems(vendor: Vendor) -> Iterator[Problem]:
    """Everything that does not fit, as a path of the file and what to write."""
    yield from _names(vendor)
    yield from _operations(vendor)
    if vendor.probe and (vendor.probe.destructive or vendor.probe.method != "GET"):
        yield ("probe", "call"), "a probe changes nothing: use GET"
    for key, text in _texts(vendor.model_copy(update={"collections": {}, "probe": None}), ()):
        known: dict[str, Any] = {"option": _options(vendor)}
        if key[0] in {"auth", "other_auth"}:
            known["secret"] = vendor.secrets
        yield from _unknown(key, text, known)
    if vendor.probe:
        for key, text in _texts(vendor.probe, ("probe",)):
            yield from _unknown(key, text, _always(vendor))
    for name, spec in vendor.collections.items():
        yield from _collection(vendor, name, spec)


def _names(vendor: Vendor) -> Iterator[Problem]:
    """Limits, ways of logging in and secrets that are named but not there."""
    for path, model in _parts(vendor, ()):
        if isinstance(model, Request | Download):
            for limit in model.spends:
                if limit not in vendor.limits:
                    yield (*path, "spends", limit), f"there is no limit '{limit}': add it under limits"
            if model.auth and model.auth not in vendor.other_auth:
                yield (*path, "auth"), f"there is no '{model.auth}' under other_auth: add it there"
        secret = getattr(model, "secret", "")
        if path and "auth" not in str(path[0]) and isinstance(secret, str) and secret and secret not in vendor.secrets:
            yield (*path, "secret"), f"there is no secret '{secret}': write one of: {', '.join(vendor.secrets)}"


def _operations(vendor: Vendor) -> Iterator[Problem]:
    """Each operation is either offered, or said not to be."""
    specs = vendor.collections.values()
    offered = {
        "erase": all(spec.erase for spec in specs),
        "restrict": any(spec.restrict for spec in specs),
        "suppress": any(spec.suppress for spec in specs),
        "rectify": any(spec.rectify for spec in specs),
        "export": not any(spec.blind for spec in specs),
    }
    for operation, has in offered.items():
        said = operation in vendor.unsupported
        if has and said and operation != "export":
            yield ("unsupported", operation), f"{operation} is offered: take this out"
        if not has and not said:
            yield ("unsupported",), f"{operation} is not offered: write {operation}: 'why, and what to do instead'"


def _collection(vendor: Vendor, name: str, spec: Collection) -> Iterator[Problem]:
    here: Path = ("collections", name)
    always = _always(vendor)
    by = {**always, "by": {"value": None, "quoted": None}}
    row = {**always, "row": spec.fields, "saved": None}
    yield from _fields(vendor, here, spec)
    for number, find in enumerate(spec.find):
        if spec.blind == bool(find.steps):
            advice = "a blind vendor is not asked: leave out steps" if spec.blind else "write steps: how it is found"
            yield (*here, "find", number), advice
        yield from _steps((*here, "find", number, "steps"), find.steps, {**by, "saved": None}, "find")
    for key in ("fields", "clean"):
        for path, text in _texts(getattr(spec, key), (*here, key)):
            yield from _unknown(path, text, by)
    for what in ("restrict", "lift", "suppress", "export"):
        if (act := getattr(spec, what)) is not None:
            yield from _steps((*here, what, "steps"), act.steps, {**row, "file": {"number": None}}, what)
    if (spec.restrict is None) != (spec.lift is None):
        yield (*here, "restrict" if spec.restrict else "lift"), "restrict and lift belong together: write both"
    if spec.rectify is not None:
        known = {**row, "new": spec.rectify.fields, "whole": spec.rectify.fields}
        yield from _steps((*here, "rectify", "steps"), spec.rectify.steps, known, "rectify")
        yield from _rectify((*here, "rectify"), spec, spec.rectify)
    if spec.erase is not None:
        yield from _steps((*here, "erase", "steps"), spec.erase.steps, {**row, "rows": spec.fields}, "erase")
        yield from _erase((*here, "erase"), spec, spec.erase)


def _erase(path: Path, spec: Collection, erase: Erase) -> Iterator[Problem]:
    """What an erasure must say."""
    if erase.batch > 1:
        yield from _batched((*path, "steps"), erase.steps)
    if (erase.leaves == "redacted") != bool(erase.redacted and spec.clean):
        yield (*path, "leaves"), "leaves: redacted goes with redacted: 'what is written', and the collection's clean"
    if spec.blind and erase.term is None and not any(isinstance(step, Poll) for step in erase.steps):
        yield path, "nothing shows when it is done: poll, or write term: the time that the vendor names"


def _rectify(path: Path, spec: Collection, rectify: Rectify) -> Iterator[Problem]:
    """What can be written, and that it is written where it was asked for, and nowhere else."""
    written = {
        name
        for step in rectify.steps
        for _, text in _texts(step, path)
        for place, name in places(text)
        if place == "new" or (place == "whole" and name in step.writes)
    }
    by_key = any((find.by,) == spec.key for find in spec.find)
    for number, field in enumerate(rectify.fields):
        if field in spec.key:
            yield (*path, "fields", number), "the key tells rows apart: it is never written to"
        elif any(find.by == field for find in spec.find) and (spec.several or not by_key):
            why = "several rows are" if spec.several else "and nothing but that shows it again, a row is"
            yield (*path, "fields", number), f"{why} found by it: take it out"
        elif field not in written:
            yield (*path, "fields", number), f"no step writes it: put {{new.{field}?}} into a request"
    for number, step in enumerate(rectify.steps):
        yield from _written((*path, "steps", number), step, rectify)
        if step.lookup is not None:
            yield (*path, "steps", number, "lookup"), "lookup belongs to erase: what is written twice says the same"


def _written(path: Path, step: Write, rectify: Rectify) -> Iterator[Problem]:
    """That a request writes what was asked for, and nothing else but what goes with it."""
    for number, field in enumerate(step.writes):
        if field not in rectify.fields:
            yield (*path, "writes", number), f"'{field}' is not under fields of rectify: add it there"
    one = len(rectify.fields) == 1 or len(step.writes) == 1
    for key, text in _texts(step, path):
        for match in PLACE.finditer(text):
            if match[1] == "new" and not one and not (match[3] and PLACE.fullmatch(text)):
                yield key, f"only what was asked for is written: make the whole value {{new.{match[2]}?}}"
            if match[1] == "whole" and match[2] not in step.writes:
                yield key, f"this would be written unasked: put {match[2]} under writes of this step"


def _fields(vendor: Vendor, here: Path, spec: Collection) -> Iterator[Problem]:
    """Fields that are named but not there."""
    if not spec.key:
        yield (*here, "key"), "key is empty: name the fields that tell one row from every other"
    if not spec.find:
        yield here, "write find: how rows are found"
    if spec.blind and len(spec.key) != 1:
        yield (*here, "key"), "a blind collection has one field as its key"
    named = [((*here, "key", n), field) for n, field in enumerate(spec.key)]
    named += [((*here, "find", n, "by"), find.by) for n, find in enumerate(spec.find)]
    named += [((*here, "links", field), field) for field in spec.links]
    if spec.rectify:
        named += [((*here, "rectify", "fields", n), field) for n, field in enumerate(spec.rectify.fields)]
    if spec.restrict:
        named += [((*here, "restrict", "keeps", n), field) for n, field in enumerate(spec.restrict.keeps)]
    for path, field in named:
        if field not in spec.fields:
            yield path, f"'{field}' is not under fields: add it there"
    for field, target in spec.links.items():
        collection, _, column = target.rpartition(".")
        if collection not in vendor.collections or column not in vendor.collections[collection].fields:
            yield (*here, "links", field), "the link leads nowhere: write collection.field of this file"


def _steps(path: Path, steps: tuple[Step, ...], known: Mapping[str, Any], what: str) -> Iterator[Problem]:
    """What steps of an operation may be, and what they may name."""
    if known.get("saved", ()) is None:
        known = {**known, "saved": {name for step in steps for name in _saves(step)}}
    for number, step in enumerate(steps):
        here = (*path, number)
        if isinstance(step, Each):
            yield from _unknown((*here, "each"), step.each, known)
            yield from _steps((*here, "steps"), step.steps, {**known, step.as_: None}, what)
        elif isinstance(step, UntilEmpty):
            yield from _steps((*here, "steps"), step.steps, known, what)
        else:
            for key, text in _texts(step, here):
                yield from _unknown(key, text, known)
            yield from _belongs(here, step, what)
    if what == "export" and path[-2:] == ("export", "steps") and not isinstance(steps[-1], Download):
        yield (*path, len(steps) - 1), "the steps of an export end with a download; rows are exported without steps"


def _belongs(here: Path, step: Call | Poll | Download, what: str) -> Iterator[Problem]:
    """Whether a step is one that an operation can have."""
    if isinstance(step, Poll) and what not in {"erase", "export"}:
        yield (*here, "poll"), f"{what} does not wait: poll belongs to erase and export"
    if isinstance(step, Download) and what != "export":
        yield (*here, "download"), "download belongs to export"
    if isinstance(step, Call) and what == "find" and step.destructive:
        yield (*here, "call"), "a look changes nothing: use GET, or write changes: false if it does not"
    if isinstance(step, Call) and what != "find" and step.rows is not None:
        yield (*here, "rows"), "rows belong to find"


def _batched(path: Path, steps: tuple[Step, ...]) -> Iterator[Problem]:
    """A call for several rows names none of them alone."""
    for number, step in enumerate(steps):
        if not isinstance(step, Call | Poll):
            yield (*path, number), "with batch, steps are call and poll"
            continue
        for key, text in _texts(step, (*path, number)):
            where = key[len(path) + 1] if key[len(path) + 1] != "lookup" else key[len(path) + 2]
            if where in _REQUEST:
                for place, name in places(text):
                    if place in {"row", "saved"}:
                        yield key, f"with batch, a request is for several rows: write {{rows.{name}}}"


def _always(vendor: Vendor) -> dict[str, Any]:
    return {"option": _options(vendor), "dates": vendor.dates, "call": {"day": None}}


def _options(vendor: Vendor) -> set[str]:
    return {*vendor.options, "region"}


def _saves(step: Step) -> Iterator[str]:
    if isinstance(step, Each | UntilEmpty):
        for inner in step.steps:
            yield from _saves(inner)
    elif not isinstance(step, Download):
        yield from step.save
        if isinstance(step, Call) and step.lookup:
            yield from step.lookup.save


def _unknown(path: Path, text: str, known: Mapping[str, Any]) -> Iterator[Problem]:
    """Places that have no value where they stand."""
    for place, name in places(text):
        if place not in known:
            advice = "secrets stand under auth alone" if place == "secret" else f"here are: {', '.join(sorted(known))}"
            yield path, f"'{{{place}.{name}}}' has no value here; {advice}"
        elif known[place] is not None and name not in known[place]:
            yield (
                path,
                f"'{{{place}.{name}}}' has no value; {place} has: {', '.join(sorted(known[place])) or 'nothing'}",
            )


def _texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text below, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, BaseModel):
        for name, info in type(value).model_fields.items():
            if name in value.model_fields_set:
                yield from _texts(getattr(value, name), (*path, info.alias or name))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(part, (*path, key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _texts(part, (*path, number))


def _parts(value: object, path: Path) -> Iterator[tuple[Path, BaseModel]]:
    """Every part below, with its path."""
    if isinstance(value, BaseModel):
        yield path, value
        for name, info in type(value).model_fields.items():
            yield from _parts(getattr(value, name), (*path, info.alias or name))
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _parts(part, (*path, key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _parts(part, (*path, number))
