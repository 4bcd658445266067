"""Restriction: a tag on each of the person's versions, which the bucket's policy denies to everybody but the engine.

The one rule: neither content nor times nor the object's own tags change, and for which requests an object is restricted
stands on the object itself, so that a worker that dies in the middle forgets nothing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from connectors.errors import NeedsHuman, Unsupported
from connectors.protocol import Call, Restricted
from connectors.s3.look import Search
from connectors.s3.session import Row, Session
from connectors.s3.settings import Settings
from rights.codes import Code
from rights.receipt import Count, Tally

TAGS_MOST: Final = 10
"""Tags that an object can have."""
VALUE_MOST: Final = 256
"""Characters of a tag's value: the names of some eight requests."""
BATCH: Final = 100
"""Versions behind one fence: each takes two requests."""
_READS: Final = ("s3:getobject", "s3:getobjectversion")


def restrict(call: Call, settings: Settings, session: Session) -> Restricted:
    """Tag every version that a look has found. Markers and unfinished uploads have nothing to read.

    Raises:
        NeedsHuman: the policy does not deny what bears the tag.
    """
    if not denies(session.policy(), settings.restricted_tag, settings.bucket):
        raise NeedsHuman(Code.NOT_DENIED, call.system.system)
    search = Search(call, settings, session)
    survey = search.survey()
    survey.refuse_doubt()
    found = 0
    for rows in _batches(search, certain=True):
        found += len(rows)
        _each(call, settings, session, rows, survey.tally, settings.restricted_tag, lift=False)
    return Restricted(_tally(settings, found), {"tag": settings.restricted_tag, "request": call.session})


def lift(call: Call, settings: Settings, session: Session) -> Tally:
    """Take this request's name out of the tag of every version, and the tag away when no other request is in it."""
    tag = call.restricted.get("tag") or settings.restricted_tag
    search = Search(call, settings, session)
    survey = search.survey()
    lifted = 0
    for rows in _batches(search, certain=False):
        lifted += _each(call, settings, session, rows, survey.tally, tag, lift=True)
    return _tally(settings, lifted)


def _each(
    call: Call, settings: Settings, session: Session, rows: Sequence[Row], look: Tally, tag: str, *, lift: bool
) -> int:
    """Set the tags of some versions inside the fence, where they are not yet as they should be."""
    call.beat()
    name = call.restricted.get("request") or call.session
    wanted: list[tuple[Row, dict[str, str]]] = []
    for row in rows:
        tags = session.tags(row)
        changed = None if tags is None else _without(tags, tag, name) if lift else _with(call, tags, tag, name)
        if changed is not None:
            wanted.append((row, changed))
    if not wanted:
        return 0
    with session.within(settings.timeout), call.fence({settings.collection: len(wanted)}, look) as intent:
        done = sum(session.tag(row, tags) for row, tags in wanted)
        intent.done(_tally(settings, done))
    return done


def _with(call: Call, tags: Mapping[str, str], tag: str, name: str) -> dict[str, str] | None:
    """The tags with this request in them; None if it is."""
    names = tags.get(tag, "").split()
    if name in names:
        return None
    value = " ".join([*names, name])
    if len(value) > VALUE_MOST or (tag not in tags and len(tags) >= TAGS_MOST):
        raise Unsupported(Code.UNSUPPORTED, call.system.system)
    return {**tags, tag: value}


def _without(tags: Mapping[str, str], tag: str, name: str) -> dict[str, str] | None:
    """The tags without this request; None if it is not in them."""
    names = tags.get(tag, "").split()
    if name not in names:
        return None
    others = {key: value for key, value in tags.items() if key != tag}
    left = [other for other in names if other != name]
    return {**others, tag: " ".join(left)} if left else others


def denies(policy: str, tag: str, bucket: str) -> bool:
    """Whether a policy denies to somebody the reading of every object of the bucket that bears the tag.

    It is judged by what it says outright: a Deny of s3:GetObject and s3:GetObjectVersion on condition of
    s3:ExistingObjectTag/TAG. Whom else it lets through is the operator's business.
    """
    try:
        statements: Any = json.loads(policy or "{}").get("Statement", [])
    except ValueError:
        return False
    denied: set[str] = set()
    for statement in [statements] if isinstance(statements, dict) else statements:
        whole = any(_whole(str(resource), bucket) for resource in _listed(statement.get("Resource", ())))
        if statement.get("Effect") == "Deny" and whole and _on_tag(statement.get("Condition", {}), tag):
            denied |= {str(action).lower() for action in _listed(statement.get("Action", ()))}
    return bool(denied & {"*", "s3:*", "s3:get*", "s3:getobject*"}) or denied.issuperset(_READS)


def _whole(resource: str, bucket: str) -> bool:
    """Whether a statement is about every object of the bucket; of an access point the bucket's name is not known."""
    return resource == "*" or (
        resource.endswith("/*") if bucket.startswith("arn:") else resource.endswith(f":::{bucket}/*")
    )


def _on_tag(condition: Any, tag: str) -> bool:
    wanted = f"s3:existingobjecttag/{tag}".lower()
    for operator, keys in condition.items():
        for key, values in keys.items():
            if key.lower() == wanted:
                missing = str(operator).lower() == "null" and [str(v).lower() for v in _listed(values)] == ["false"]
                return missing or (str(operator).lower() == "stringlike" and "*" in _listed(values))
    return False


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _batches(search: Search, *, certain: bool) -> Iterator[list[Row]]:
    waiting: list[Row] = []
    for group in search.groups():
        waiting += [found.row for found in group if found.row.kind == "version" and (found.certain or not certain)]
        while len(waiting) >= BATCH:
            yield waiting[:BATCH]
            waiting = waiting[BATCH:]
    if waiting:
        yield waiting


def _tally(settings: Settings, found: int) -> Tally:
    return Tally(counts=(Count(collection=settings.collection, found=found),))
