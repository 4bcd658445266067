"""The OpenAPI document against the API: schemathesis sends what it allows, and what it does not, and finds nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok
from schemathesis.generation.case import Case
from schemathesis.specs.openapi import checks as openapi

from starter.access import Role
from starter.problems import KINDS, MEDIA
from tests.starter.api.conftest import Api
from tests.starter.api.test_requests import opened

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLES = 10
"""Per operation and direction."""
CHECKS: list[Any] = [
    checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
    openapi.response_headers_conformance,
]
NOT_SENT = {"/v1/suppression/check-csv"}
"""Its body is a stream of CSV, which is no schema's; tests/starter/api/test_nouns.py sends some."""


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_what_the_document_allows_and_what_it_does_not_is_answered_as_it_says(api: Api) -> None:
    api.known.person("s-all", *Role)
    api.app.state.buckets = type(api.app.state.buckets)(10**9)
    real = [opened(api) for _ in range(3)]
    schema = schemathesis.openapi.from_asgi("/openapi.json", api.app)
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if not operation.path.startswith("/v1/") or operation.path in NOT_SENT:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode), request_id=st.sampled_from([None, *real]))
            def holds(case: Case[Any], request_id: str | None) -> None:
                if request_id and "request_id" in (case.path_parameters or {}):
                    case.path_parameters["request_id"] = request_id
                answer = case.call(headers={"authorization": "Bearer s-all"})
                case.validate_response(answer, checks=CHECKS)

            try:
                holds()
            except Exception as error:  # noqa: BLE001 - named by what was asked
                pytest.fail(f"{operation.label}, {mode}: {error}")
            tried += 1
    assert tried > 60


def test_every_problem_is_named_by_each_route_that_can_answer_it(api: Api) -> None:
    document = api.client.get("/openapi.json").json()

    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        if not path.startswith("/v1/"):
            continue
        for method, operation in operations.items():
            problems = {status: body for status, body in operation["responses"].items() if int(status) >= 400}
            assert {"401", "429", "500", "503"} <= set(problems), (method, path)
            assert "HTTPValidationError" not in str(operation)
            for body in problems.values():
                assert list(body["content"]) == [MEDIA], (method, path)
                assert re.search(r"`[a-z_]+`", body["description"])


def test_every_problem_is_in_the_manual(api: Api) -> None:
    manual = (DOCS / "api.md").read_text()

    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([0-9]{3}) \|", manual, re.M))

    assert rows == {str(code): str(kind.status) for code, kind in KINDS.items()}
