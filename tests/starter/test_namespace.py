"""`habeas temporal setup`: a namespace gets what it needs, on real servers; what it may not do, it tells others to."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, ServiceClient

from starter.namespace import SetUp, State, commands, set_up, survey
from starter.stack import Temporal
from tests.starter.conftest import Deployment, one_sentence

CLI = str(Path(sysconfig.get_path("scripts")) / "temporal")


@pytest.fixture
def bare() -> Iterator[Temporal]:
    """A Temporal that knows no search attribute yet."""
    with Temporal() as server:
        yield server


class Guarded(ServiceClient):
    """A way to a real server behind a guard that lets nobody but operators change its set-up, as Temporal Cloud's."""

    def __init__(self, real: ServiceClient, status: RPCStatusCode) -> None:
        super().__init__(real.config)
        self._real, self._status = real, status

    @property
    def worker_service_client(self) -> Any:
        return self._real.worker_service_client

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        self._real.update_rpc_metadata(metadata)

    def update_api_key(self, api_key: str | None) -> None:
        self._real.update_api_key(api_key)

    async def _rpc_call(self, rpc: str, req: Message, resp_type: Any, *, service: str, **options: Any) -> Any:
        if service == "operator" or rpc in {"update_namespace", "get_search_attributes", "get_cluster_info"}:
            raise RPCError("not for you", self._status, b"")
        return await self._real._rpc_call(rpc, req, resp_type, service=service, **options)


def guarded(server: Temporal, status: RPCStatusCode, **asked: Any) -> SetUp:
    async def carry_out() -> SetUp:
        real = await Client.connect(server.address)
        client = Client(Guarded(real.service_client, status))
        return await set_up(client, server.address, **asked)

    return asyncio.run(carry_out())


def temporal(server: Temporal, *words: str) -> Any:
    """What Temporal's own command line prints of a server."""
    done = subprocess.run(
        [CLI, *words, "--address", server.address, "-o", "json", "--disable-config-file", "--disable-config-env"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout


def registered(server: Temporal) -> dict[str, str]:
    listed = temporal(server, "operator", "search-attribute", "list", "--namespace", "default")
    return {name: kind for name, kind in listed.get("customAttributes", {}).items() if name.startswith("Habeas")}


def retention(server: Temporal) -> str:
    described = temporal(server, "operator", "namespace", "describe", "default")
    return str(described["config"]["workflowExecutionRetentionTtl"])


def test_setup_registers_what_is_missing_and_again_changes_nothing(deployment: Deployment, bare: Temporal) -> None:
    deployment.setting("temporal_address", bare.address)

    first, again = deployment("temporal", "setup", "--json"), deployment("temporal", "setup", "--json")

    assert (first.code, again.code) == (0, 0)
    assert {one["state"] for one in first.json["attributes"]} == {"added"}
    assert {one["state"] for one in again.json["attributes"]} == {"there"}
    assert registered(bare) == {
        one["name"]: f"INDEXED_VALUE_TYPE_{'KEYWORD_LIST' if one['type'] == 'KeywordList' else one['type'].upper()}"
        for one in again.json["attributes"]
    }
    # Ten of Keyword and three each of the others, less what we have just taken.
    assert again.json["free"] == {"Datetime": 1, "Keyword": 5, "KeywordList": 2}
    assert again.json["retention_days"] == 1
    assert not again.json["commands"]


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(deployment: Deployment, bare: Temporal) -> None:
    deployment.setting("temporal_address", bare.address)

    answer = deployment("temporal", "setup", "--dry-run", "--retention", "P30D")

    assert answer.code == 1
    assert "HabeasRisk (Keyword): missing" in answer.out
    assert "--retention 720h" in answer.out
    assert registered(bare) == {}
    assert retention(bare) == "86400s"


def test_retention_is_set_when_asked_and_leaves_the_rest_alone(deployment: Deployment, bare: Temporal) -> None:
    deployment.setting("temporal_address", bare.address)
    deployment("temporal", "setup")
    before = registered(bare)

    asked = deployment("temporal", "setup", "--retention", "P30D", "--json")

    assert (asked.code, asked.json["retention_days"], asked.json["retention_set"]) == (0, 30, True)
    assert retention(bare) == "2592000s"
    assert registered(bare) == before


@pytest.mark.parametrize("text", ["P0D", "PT5H", "-P3D", "thirty"])
def test_a_retention_that_is_no_number_of_days_is_refused(deployment: Deployment, text: str) -> None:
    answer = deployment("temporal", "setup", f"--retention={text}")

    assert answer.code == 2
    assert one_sentence(answer.err)
    assert text not in answer.err.replace("P30D", "")


def test_a_namespace_without_room_is_left_as_it_is(deployment: Deployment, bare: Temporal) -> None:
    deployment.setting("temporal_address", bare.address)
    for number in range(6):
        temporal(bare, "operator", "search-attribute", "create", "--name", f"Other{number}", "--type", "Keyword")

    answer = deployment("temporal", "setup")

    assert answer.code == 1
    assert "1 place for Keyword too few" in answer.out
    assert registered(bare) == {}


def test_an_attribute_of_another_type_is_found_before_a_request_meets_it(
    deployment: Deployment, bare: Temporal
) -> None:
    deployment.setting("temporal_address", bare.address)
    temporal(bare, "operator", "search-attribute", "create", "--name", "HabeasDueAt", "--type", "Keyword")

    answer, checked = deployment("temporal", "setup"), deployment("config", "check")

    assert (answer.code, checked.code) == (1, 1)
    assert "HabeasDueAt (Datetime): registered with another type" in answer.out
    assert "it lacks the search attributes HabeasDueAt" in checked.out


@pytest.mark.parametrize("status", [RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED])
def test_where_operators_alone_may_do_it_their_commands_are_told_and_do_it(
    bare: Temporal, status: RPCStatusCode
) -> None:
    refused = guarded(bare, status, retention=timedelta(days=30), dry_run=False)
    for command in refused.todo:
        temporal(bare, *shlex.split(command)[1:])
    after = guarded(bare, status, retention=timedelta(days=30), dry_run=False)

    assert (refused.refused, refused.after.ready) == (True, False)
    assert len(refused.todo) == len(refused.after.attributes) + 1
    # What is registered is seen in the namespace's description, which is open.
    assert {one.state for one in after.after.attributes} == {State.THERE}
    assert after.after.retention == timedelta(days=30)
    assert (after.refused, after.todo) == (False, ())


def test_on_temporal_cloud_the_commands_are_its_own(bare: Temporal) -> None:
    async def look() -> list[str]:
        found = await survey(await Client.connect(bare.address))
        return commands(found, "eu.a1b2c.tmprl.cloud:7233", timedelta(days=30))

    attributes, kept = asyncio.run(look())

    assert attributes.startswith("tcld namespace search-attributes add --namespace default --search-attribute ")
    assert attributes.count("--search-attribute ") == 8
    assert '"HabeasRegime=KeywordList"' in attributes
    assert kept == "tcld namespace retention set --namespace default --retention-days 30"


def test_setup_says_when_temporal_is_away_or_has_no_such_namespace(deployment: Deployment, bare: Temporal) -> None:
    away = deployment("temporal", "setup")
    deployment.setting("temporal_address", bare.address)
    deployment.setting("temporal_namespace", "nowhere")
    elsewhere = deployment("temporal", "setup")

    assert (away.code, elsewhere.code) == (3, 5)
    assert one_sentence(away.err)
    assert one_sentence(elsewhere.err)
    assert "nowhere" not in elsewhere.err
