"""The journal's head is timestamped by a real authority (openssl's), and only what can be believed is kept."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.stamping import Authority, StampError, check_stamp, read_roots, stamp_journal
from activities.store import FileStore
from activities.tools import Tools
from activities.upkeep import Round, UpkeepActivities
from ledger.evidence import TreeHead
from ledger.ledger import Ledger
from tests.ledger.builders import AT, OTTO, a_map, close_one, opened_id
from tests.tsa import Tsa

pytestmark = pytest.mark.soak  # each authority is a server of its own

HEAD = TreeHead(tenant="main", size=7, root="ab" * 32, hash="cd" * 32)


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tsa]:
    with Tsa(tmp_path_factory.mktemp("tsa")) as tsa:
        yield tsa


@pytest.fixture(scope="module")
def authority(tsa: Tsa) -> Authority:
    return Authority(tsa.url, read_roots(tsa.roots.read_bytes()))


def test_openssl_believes_what_is_kept(tsa: Tsa, authority: Authority, tmp_path: Path) -> None:
    response = authority.stamp(HEAD.note)
    (tmp_path / "note").write_bytes(HEAD.note)
    (tmp_path / "other").write_bytes(HEAD.note + b"x")
    (tmp_path / "response.tsr").write_bytes(response)

    assert tsa.believes(tmp_path / "note", tmp_path / "response.tsr")
    assert not tsa.believes(tmp_path / "other", tmp_path / "response.tsr")
    assert check_stamp(response, HEAD.note, authority.roots)


def test_the_authority_is_sent_a_hash_and_nothing_else(tsa: Tsa, authority: Authority) -> None:
    authority.stamp(HEAD.note)

    assert len(tsa.seen[-1]) < 100
    assert b"main" not in tsa.seen[-1]


def test_a_timestamp_of_something_else_or_by_somebody_else_is_refused(
    tsa: Tsa, authority: Authority, tmp_path: Path
) -> None:
    response = authority.stamp(HEAD.note)
    with pytest.raises(StampError, match="not to be believed"):
        check_stamp(response, HEAD.note + b"x", authority.roots)
    with Tsa(tmp_path / "other") as other, pytest.raises(StampError, match="not to be believed"):
        Authority(tsa.url, read_roots(other.roots.read_bytes())).stamp(HEAD.note)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.data())
def test_a_response_that_is_not_one_is_refused_in_a_sentence(authority: Authority, chosen: st.DataObject) -> None:
    cut = chosen.draw(st.one_of(st.binary(max_size=50), st.just(b"<html>no</html>")))

    with pytest.raises(StampError):
        check_stamp(cut, HEAD.note, authority.roots)


def test_an_authority_that_is_away_is_said_so(authority: Authority) -> None:
    with pytest.raises(StampError, match="cannot be reached"):
        Authority("http://127.0.0.1:9/", authority.roots).stamp(HEAD.note)
    with pytest.raises(StampError, match="no certificate in PEM"):
        read_roots(b"nothing")


def test_only_what_was_closed_since_is_stamped(authority: Authority, ledger: Ledger) -> None:
    one = opened_id(ledger)
    assert not stamp_journal(ledger, authority, AT), "nothing was closed yet"
    close_one(ledger, one)
    before = ledger.statement(one)
    assert json.loads(before)["predicate"]["timestamp"] is None
    assert stamp_journal(ledger, authority, AT)
    assert not stamp_journal(ledger, authority, AT), "once is enough"
    assert not stamp_journal(ledger, None, AT)

    said = json.loads(ledger.statement(one))["predicate"]
    stamp = said["timestamp"]
    response = base64.b64decode(stamp["response"])
    assert check_stamp(response, stamp["note"].encode(), authority.roots)
    root = base64.b64encode(bytes.fromhex(said["journal"]["tree"]["root"])).decode()
    assert stamp["note"] == f"habeas/main\n{said['journal']['tree']['size']}\n{root}\n"
    assert ledger.statement(one, head=2) == before, "as of the head before it there is none"

    other = opened_id(ledger, identities=OTTO)
    assert not stamp_journal(ledger, authority, AT)
    close_one(ledger, other)
    assert not ledger.stamped(other)
    assert stamp_journal(ledger, authority, AT)
    assert ledger.stamped(other)
    assert json.loads(ledger.statement(one))["predicate"] == said, "the first timestamp stays its own"
    assert ledger.verify().sound


def test_an_authority_that_is_away_keeps_nothing_from_being_signed(
    authority: Authority, ledger: Ledger, tmp_path: Path
) -> None:
    close_one(ledger, opened_id(ledger))
    lines = (tmp_path / "checkpoints.jsonl").read_bytes().splitlines()
    tools = Tools(
        ledger=ledger,
        connectors={},
        data_map=a_map(),
        store=FileStore(tmp_path / "parcels"),
        environment="test",
        authority=Authority("http://127.0.0.1:9/", authority.roots),
    )

    UpkeepActivities(tools).sign(Round(as_of=AT))
    assert len((tmp_path / "checkpoints.jsonl").read_bytes().splitlines()) == len(lines) + 1
    assert ledger.to_stamp()

    UpkeepActivities(replace(tools, authority=authority)).sign(Round(as_of=AT))
    assert ledger.to_stamp() is None
