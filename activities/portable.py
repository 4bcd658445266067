"""What makes a parcel portable: schemas of every table, and what the whole is in the words of DPV and RO-Crate.

The one rule: another program can read the data from these files alone, and they name fields, never a value.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from activities.bag import Filed
from activities.delivery import Delivered
from activities.facts import CollectionFacts, ParcelFacts
from activities.spool import CSV, JSON_LINES
from rights.portable import basis

CRATE: Final = "ro-crate-metadata.json"
PACKAGE: Final = "datapackage.json"
_CONTEXT: Final = {
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "dct": "http://purl.org/dc/terms/",
    "sha256": "urn:habeas:terms:sha256",
}
_ORIGINS: Final = {"provided": "dpv:ProvidedPersonalData", "observed": "dpv:ObservedPersonalData"}
_BASES: Final = {"consent": "eu-gdpr:A6-1-a", "contract": "eu-gdpr:A6-1-b"}


def schemas(facts: ParcelFacts, delivered: Sequence[Delivered]) -> Iterator[tuple[str, bytes]]:
    """Path and text of each table's JSON Schema, CSVW metadata and JSON-LD context, and of the data package."""
    for held in delivered:
        about = facts.system(held.system).of(held.collection)
        stem = held.json_lines.path.removesuffix(".jsonl")
        yield f"{stem}.schema.json", _text(held.shape.json_schema(f"{held.system}.{held.collection}", about))
        yield f"{held.csv.path}-metadata.json", _text(held.shape.csvw(held.csv.path.rpartition("/")[2], about))
        yield f"{stem}.context.jsonld", _text(context(facts, held, about))
    yield f"data/{PACKAGE}", _text(data_package(facts, delivered))


def context(facts: ParcelFacts, held: Delivered, about: CollectionFacts) -> dict[str, Any]:
    """A JSON-LD context for the rows of a .jsonl file, as they are: each field is a term of this table."""
    base = f"urn:habeas:{facts.map_digest[:16]}:{held.system}:{held.collection}:"
    return {"@context": {"@version": 1.1, **{field: {"@id": base + field} for field in held.shape.columns(about)}}}


def data_package(facts: ParcelFacts, delivered: Sequence[Delivered]) -> dict[str, Any]:
    """A Frictionless data package of all tables."""
    resources = []
    for held in delivered:
        about = facts.system(held.system).of(held.collection)
        resources.append(
            {
                "name": f"{held.system}.{held.collection}".lower(),
                "path": held.csv.path.removeprefix("data/"),
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": CSV,
                "encoding": "utf-8",
                "bytes": held.csv.size,
                "hash": f"sha256:{held.csv.digest}",
                "schema": held.shape.table_schema(about),
            }
        )
    return {"profile": "data-package", "name": f"habeas-{facts.request_id}", "resources": resources}


def crate(facts: ParcelFacts, delivered: Sequence[Delivered], files: Sequence[Filed], as_of: datetime) -> bytes:
    """RO-Crate 1.1 metadata of the whole, with what DPV says of it: processes, their basis, and their data."""
    graph: list[dict[str, Any]] = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": "Personal data that goes along with the person",
            "description": "What a person has provided, in answer to a request for portability (GDPR Art. 20).",
            "datePublished": as_of.astimezone(ZoneInfo(facts.zone)).date().isoformat(),
            "license": "Personal data: for the person it is about, and for whom they give it to.",
            "hasPart": [{"@id": _inside(filed)} for filed in files],
            "dpv:hasRight": {"@id": "eu-gdpr:A20"},
            "mentions": [{"@id": _process(held)} for held in delivered],
        },
    ]
    graph += [
        {"@id": _inside(filed), "@type": "File", "contentSize": str(filed.size), "sha256": filed.digest}
        | ({"encodingFormat": JSON_LINES} if filed.path.endswith(".jsonl") else {})
        | ({"encodingFormat": CSV} if filed.path.endswith(".csv") else {})
        for filed in files
    ]
    for held in delivered:
        graph += _of_dpv(held, facts.system(held.system).of(held.collection))
    return _text({"@context": ["https://w3id.org/ro/crate/1.1/context", _CONTEXT], "@graph": graph})


def _of_dpv(held: Delivered, about: CollectionFacts) -> Iterator[dict[str, Any]]:
    """A table as a process of DPV, and each of its fields as personal data."""
    known = _BASES.get(basis(about.lawful_basis) or "")
    fields = [field for field in held.shape.columns(about) if about.field_categories.get(field)]
    yield {
        "@id": _process(held),
        "@type": "dpv:Process",
        "name": f"{held.system}.{held.collection}",
        "dct:hasPart": [{"@id": _inside(held.json_lines)}, {"@id": _inside(held.csv)}],
        "dpv:hasPurpose": about.purpose,
        "dpv:hasPersonalData": [{"@id": f"{_process(held)}-{field}"} for field in fields],
    } | ({"dpv:hasLegalBasis": {"@id": known}} if known else {})
    for field in fields:
        kind = _ORIGINS.get(about.origins.get(field, ""))
        yield {
            "@id": f"{_process(held)}-{field}",
            "@type": ["dpv:PersonalData", kind] if kind else "dpv:PersonalData",
            "name": field,
            "dct:subject": about.field_categories[field],
        }


def _process(held: Delivered) -> str:
    return f"#{held.system}-{held.collection}"


def _inside(filed: Filed) -> str:
    return filed.path.removeprefix("data/")


def _text(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_INDENT_2)
