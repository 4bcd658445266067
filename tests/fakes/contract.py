"""Whether an exchange with a vendor is as the vendor's document says: the request and the answer.

For the fake's own traffic, and for ours against it. The one rule: what a document does not say is named
here with the reason, never passed over: `check` gives back what it could not judge.

Documents are read strictly: a name that an object of the document does not have is a fault.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
import yaml
from openapi_core import OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.templating.responses.exceptions import ResponseFinderError
from openapi_core.testing import MockRequest, MockResponse

DOCUMENTS: Final = Path(__file__).parent / "documents"
DOCUMENTED: Final = ("amplitude", "google", "stripe")
UNSAID: Final = (
    *("truncated", "wrong_shape", "timeout", "error_after"),  # bent, or never sent so
    *("rate_limited", "error", "forbidden_text", "dropped", "answer"),  # the fault's words, not the vendor's
)
"""Faults whose answers no document is asked about."""
BEYOND: Final[Mapping[str, set[str]]] = {
    "amplitude": {
        "deletion.revoke 404",  # the vendor's page names no answer for it
        "deletion.list 400",  # the page: the range is required and at most six months
        "deletion.list 401",  # the document has it for POST alone
        "deletion.list 429",  # the same
        "access.output 404",  # the page: results last for two days
        "user.search 200",  # the Dashboard REST API, of another page
    },
    # Discovery documents name no errors; their form is that of every Google API.
    "google": {"token 200", "delete 400", "delete 401", "delete 429", "upsert 400", "upsert 401"},
    # The core API, whose document is not among these.
    "stripe": {"customers.list 200", "customers.update 200", "customers.update 401", "customers.update 500"},
}
"""What the documents do not say, and where the fake has it from."""
_HOST: Final = "https://vendor.example"
_FORM: Final = "application/x-www-form-urlencoded"
_JSON: Final = "application/json"


@dataclass
class Findings:
    """What came of a check."""

    checked: set[str] = field(default_factory=set)
    """Operations and statuses that were compared with the document, e.g. "deletion.create 200"."""
    undocumented: set[str] = field(default_factory=set)
    """Those that the document does not know."""
    faults: list[str] = field(default_factory=list)
    """Where an exchange differs from the document."""


def check(vendor: str, exchanges: Iterable[Mapping[str, Any]], *, ours: bool = False) -> Findings:
    """Compare exchanges with the vendor's document.

    Each has operation (any name), method, path (behind the vendor's prefix), query, headers, body, status,
    answer_headers and answer: the fake's record (`Vendors.traffic`) is such a list. Answers that were bent or
    cut off or are a fault's own, requests never answered, and what was too long for the record are left out.
    A request that the vendor refused may well be wrong; one of `ours` is compared whatever became of it.
    """
    document = _document(vendor)
    findings = Findings()
    for one in exchanges:
        request = None if _cut(one["body"]) else _request(vendor, one)
        if request is None:
            continue
        answered = one["status"] is not None and one.get("fault") not in UNSAID and not _cut(one["answer"])
        known = answered and _answered(document, request, one, findings)
        if ours or (known and one["status"] < 400):
            _asked(document, request, one, findings)
    return findings


def _answered(document: OpenAPI, request: MockRequest, one: Mapping[str, Any], findings: Findings) -> bool:
    """Whether the document knows the answer, which is compared with it."""
    name = f"{one['operation']} {one['status']}"
    headers = dict(one["answer_headers"])
    response = MockResponse(_bytes(one["answer"]), one["status"], headers, headers.get("content-type", _JSON))
    try:
        document.validate_response(request, response)
    except (PathError, ResponseFinderError):
        findings.undocumented.add(name)
        return False
    except OpenAPIError as error:
        findings.faults.append(f"{name}: answer: {_said(error)}")
    findings.checked.add(name)
    return True


def _asked(document: OpenAPI, request: MockRequest, one: Mapping[str, Any], findings: Findings) -> None:
    name = f"{one['operation']} {one['status']}"
    try:
        document.validate_request(request)
    except PathError:
        findings.undocumented.add(name)
    except OpenAPIError as error:
        findings.faults.append(f"{name}: request: {_said(error)}")


def _cut(text: str | None) -> bool:
    return (text or "").startswith("cut: ")


def _request(vendor: str, one: Mapping[str, Any]) -> MockRequest:
    headers = {name.title(): value for name, value in one["headers"].items()}
    kind = one["headers"].get("content-type", _JSON).partition(";")[0]
    body = _bytes(one["body"])
    if kind == _FORM and vendor == "stripe":
        # OpenAPI has no word for Stripe's nested form fields, so they are compared as the object they stand for.
        body, kind = orjson.dumps(_nested(body.decode())), _JSON
    return MockRequest(
        _HOST,
        one["method"],
        one["path"],
        args=dict(one["query"]),
        headers=headers,
        data=body,
        content_type=kind,
    )


def _said(error: BaseException) -> str:
    """The innermost reasons, without the values."""
    inner = getattr(error.__cause__, "schema_errors", None) or getattr(error, "schema_errors", None)
    if inner:
        return "; ".join(f"{'/'.join(map(str, one.absolute_path)) or 'body'}: {one.validator}" for one in inner)
    return f"{type(error).__name__} {type(error.__cause__).__name__ if error.__cause__ else ''}".strip()


def _bytes(text: str | None) -> bytes:
    if text and text.startswith("base64:"):
        return base64.b64decode(text.removeprefix("base64:"))
    return (text or "").encode()


def _nested(form: str) -> dict[str, Any]:
    """`objects[customers][]=cus_1` as {"objects": {"customers": ["cus_1"]}}."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(form):
        first, *rest = re.findall(r"[^\[\]]+|\[\]", name)
        many = bool(rest) and (rest[-1] == "[]" or rest[-1].isdecimal())
        path = [first, *(rest[:-1] if many else rest)]
        node = tree
        for part in path[:-1]:
            node = node.setdefault(part, {})
        if many:
            node.setdefault(path[-1], []).append(value)
        else:
            node[path[-1]] = value
    return tree


# The documents


@cache
def _document(vendor: str) -> OpenAPI:
    spec = {"amplitude": _amplitude, "google": _google, "stripe": _stripe}[vendor]()
    _close(spec)
    return OpenAPI.from_dict({**spec, "servers": [{"url": _HOST}]})


def _amplitude() -> dict[str, Any]:
    spec = _read("amplitude-privacy.transcribed.openapi.yaml")
    # The page says "a list of download URLs" that lead to the file or to S3; the document says so in words only.
    output = spec["paths"]["/api/2/dsar/requests/{requestId}/outputs/{outputId}"]["get"]
    output["responses"]["302"] = {"description": "to the object store"}
    return spec


def _stripe() -> dict[str, Any]:
    spec = _read("stripe-redaction.transcribed.openapi.yaml")
    jobs = spec["paths"]["/v1/privacy/redaction_jobs"]["post"]["requestBody"]["content"]
    jobs[_JSON] = {"schema": jobs.pop(_FORM)["schema"]}  # see _request
    # The vendor's page takes the key as Bearer too.
    spec["components"]["securitySchemes"]["bearer"] = {"type": "http", "scheme": "bearer"}
    spec["security"].append({"bearer": []})
    # The transcription leaves out what every list and every object of Stripe's has.
    errors = spec["paths"]["/v1/privacy/redaction_jobs/{job}/validation_errors"]["get"]
    listed = errors["responses"]["200"]["content"][_JSON]["schema"]
    listed["properties"] |= {"object": {"enum": ["list"]}, "url": {"type": "string"}, "has_more": {"type": "boolean"}}
    known = {"enum": ["privacy.redaction_job_validation_error"]}
    listed["properties"]["data"]["items"]["properties"]["object"] = known
    return spec


def _google() -> dict[str, Any]:
    """Both discovery documents as one OpenAPI document. They say nothing of errors, so nor does it."""
    files = ("google-analytics-v3-userdeletion", "google-analyticsadmin-v1alpha-submitUserDeletion")
    documents = [orjson.loads((DOCUMENTS / f"{name}.discovery.json").read_bytes()) for name in files]
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for document in documents:
        schemas |= {name: _schema(one) for name, one in document["schemas"].items()}
        for method in _methods(document):
            path = "/" + (document["servicePath"] + method.get("flatPath", method["path"])).lstrip("/")
            paths[path] = {method["httpMethod"].lower(): _google_operation(path, method)}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Google Analytics", "version": documents[1]["revision"]},
        "security": [{"bearer": []}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}, "schemas": schemas},
        "paths": paths,
    }


def _google_operation(path: str, method: Mapping[str, Any]) -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {_JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    text = {"type": "string"}
    return {
        "operationId": method["id"],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": text} for name in re.findall(r"{(\w+)}", path)
        ],
        "requestBody": {"required": True, "content": content(method["request"]["$ref"])},
        "responses": {"200": {"description": "done", "content": content(method["response"]["$ref"])}},
    }


def _methods(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    inner = [one for resource in node.get("resources", {}).values() for one in _methods(resource)]
    return [*node.get("methods", {}).values(), *inner]


def _schema(node: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of a discovery document: OpenAPI's words, but for `id` and Google's own formats."""
    kept: dict[str, Any] = {name: node[name] for name in ("type", "format") if name in node}
    if kept.get("format") == "google-datetime":
        kept["format"] = "date-time"
    if "properties" in node:
        kept["properties"] = {name: _schema(one) for name, one in node["properties"].items()}
    return kept


def _read(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = yaml.safe_load((DOCUMENTS / name).read_text())
    return spec


def _close(node: Any) -> None:
    """Allow no other names in any object whose names are given."""
    if isinstance(node, Mapping):
        if node.get("type") == "object" and "properties" in node and isinstance(node, dict):
            node.setdefault("additionalProperties", False)
        children: Sequence[Any] = list(node.values())
    else:
        children = node if isinstance(node, list) else []
    for child in children:
        _close(child)
