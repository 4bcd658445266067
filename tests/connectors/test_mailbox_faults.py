"""When a mailbox does not do as it is asked, or changes under us: nothing is lost from sight, nothing is half said."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from imapclient.exceptions import IMAPClientError

from connectors.conformance import Gate, Trial
from connectors.errors import ConnectorError, Held, NeedsHuman, Retryable
from connectors.mailbox import build
from connectors.mailbox.errors import explain
from connectors.protocol import Call, Intent
from rights.codes import Code
from rights.receipt import Tally
from rights.subject import Identity
from tests.connectors.dovecot import Dovecot, needs_dovecot
from tests.connectors.mail_place import shared_dovecot
from tests.connectors.mailbox_bench import GOES, SUPPORT, DovecotBench, everywhere, system_of

__all__ = ["shared_dovecot"]

pytestmark = needs_dovecot

ANNA = "anna@x.example"


@pytest.fixture
def bench(dovecot: Dovecot) -> Iterator[DovecotBench]:
    bench = DovecotBench(dovecot)
    bench.mark("conformance")
    yield bench
    bench.close()


def message(number: int, *lines: str, sender: str = ANNA) -> bytes:
    header = [f"From: {sender}", f"To: {SUPPORT}", f"Message-ID: <{number}@x.example>", *lines]
    return "\r\n".join([*header, "", f"Hello {number}", ""]).encode()


def fill(bench: DovecotBench, folder: str, many: int, sender: str = ANNA, first: int = 0) -> None:
    for start in range(0, many, 500):
        numbers = range(start, min(start + 500, many))
        bench.door.multiappend(folder, [{"msg": message(first + n, sender=sender)} for n in numbers])


def asking(bench: DovecotBench, **differs: Any) -> Call:
    return replace(Trial(bench).call([Identity("email", ANNA)]), **differs)


def senders(bench: DovecotBench) -> list[str]:
    """Who has written the messages that are there."""
    return sorted(
        str(row["raw"]).split("\\r\\n", 1)[0].removeprefix("b'From: ")
        for row in bench.everything()["messages"].values()
    )


def until_done(bench: DovecotBench, call: Call) -> int:
    """Try until it succeeds, as the engine does; how many messages all attempts say they have erased."""
    erased = 0
    for _ in range(10):
        try:
            return erased + bench.connector.erase(call).of("messages").erased
        except Retryable as error:
            erased += error.tally.of("messages").erased
    raise AssertionError("it never ends")


def test_a_server_killed_in_the_middle_of_an_expunge_is_settled_by_looking() -> None:
    with Dovecot() as server:
        bench = DovecotBench(server, GOES.replace("batch: 4", "batch: 2000"), ("INBOX", "Sent"))
        bench.mark("conformance")
        fill(bench, "INBOX", 1500)
        fill(bench, "Sent", 20)
        fill(bench, "Sent", 20, sender="ben@y.example", first=5000)
        call, gate = asking(bench), Gate()
        bench.door.shutdown()
        anchors = bench.connector.locate(call).anchors
        blow = threading.Timer(0.005, server.kill)

        with (
            bench.proxy.loses(b"UID EXPUNGE"),
            bench.proxy.at(b"UID EXPUNGE", blow.start),
            pytest.raises(Retryable) as caught,
        ):
            bench.connector.erase(replace(call, fence=gate))

        assert caught.value.code is Code.UNREACHABLE
        assert [passage.tally for passage in gate.passages] == [None], "nobody says what nobody knows"
        blow.join()  # its last child may hold the sockets a moment longer than the server itself
        server.start()
        bench.door = server.login(bench.user)
        until_done(bench, replace(call, anchors=anchors, cut_short=True))
        assert bench.connector.verify(replace(call, anchors=anchors)).tally.left == 0
        assert senders(bench) == ["ben@y.example"] * 20
        bench.close()


@pytest.mark.parametrize("command", [b"STORE", b"UID EXPUNGE"])
def test_a_connection_cut_at_any_command_leaves_the_rest_to_the_next_try(bench: DovecotBench, command: bytes) -> None:
    fill(bench, "INBOX", 10)
    fill(bench, "Trash", 3)
    fill(bench, "Trash", 2, sender="ben@y.example", first=100)
    call = asking(bench)

    with bench.proxy.loses(command), pytest.raises(Retryable):
        bench.connector.erase(call)

    bench.connector.erase(call)
    assert senders(bench) == ["ben@y.example"] * 2


class SlowFence:
    """A fence that takes its time to answer, as a frozen worker would."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, planned: Mapping[str, int], look: Tally) -> AbstractContextManager[Intent]:
        return self._pass()

    @contextmanager
    def _pass(self) -> Iterator[Intent]:
        time.sleep(self.seconds)
        yield _Nothing()


class _Nothing:
    def done(self, tally: Tally, job: Mapping[str, str] | None = None) -> None:
        raise AssertionError("nothing was done")


def test_a_worker_that_was_frozen_in_the_fence_wakes_too_late_to_destroy(bench: DovecotBench) -> None:
    fill(bench, "INBOX", 2)
    before = bench.everything()
    hasty = build(system_of(GOES.replace("timeout: 20", "timeout: 1")), {"reader": bench.url, "writer": bench.url})

    with pytest.raises(Retryable):
        hasty.erase(asking(bench, fence=SlowFence(1.2)))

    assert bench.everything() == before
    assert hasty.longest == timedelta(seconds=3)


def _moves(bench: DovecotBench, origin: str, target: str) -> Callable[[], None]:
    def act() -> None:
        bench.door.select_folder(origin)
        bench.door.move(bench.door.search(), target)
        bench.door.unselect_folder()

    return act


@pytest.mark.parametrize(("origin", "target"), [("INBOX", "Trash"), ("Trash", "INBOX"), ("Spam", "Sent")])
@pytest.mark.parametrize("number", [1, 3, 5, 7])
def test_a_look_misses_nothing_that_is_moved_while_it_looks(
    bench: DovecotBench, origin: str, target: str, number: int
) -> None:
    fill(bench, origin, 3)
    opened = 0

    def sometimes() -> None:
        nonlocal opened
        opened += 1
        if opened == number:
            _moves(bench, origin, target)()
        else:
            bench.proxy.passing = (b"EXAMINE", sometimes)

    with bench.proxy.at(b"EXAMINE", sometimes):
        look = bench.connector.verify(asking(bench))

    assert look.tally.found >= 3


def test_what_is_moved_between_look_and_erasure_goes_all_the_same(bench: DovecotBench) -> None:
    fill(bench, "INBOX", 6)
    fill(bench, "Trash", 1, sender="ben@y.example", first=50)
    call = asking(bench)
    anchors = bench.connector.locate(call).anchors

    with bench.proxy.at(b"SELECT", _moves(bench, "INBOX", "Trash")):
        bench.connector.erase(replace(call, anchors=anchors))

    assert bench.connector.verify(replace(call, anchors=anchors)).tally.left == 6, "an erasure that missed is seen"
    assert until_done(bench, replace(call, anchors=anchors)) == 6
    assert senders(bench) == ["ben@y.example"]


def _renames(bench: DovecotBench) -> None:
    bench.door.rename_folder("Sent", "Archive")


def _deletes(bench: DovecotBench) -> None:
    bench.door.delete_folder("Sent")


def _replaces(bench: DovecotBench) -> None:
    bench.door.delete_folder("Sent")
    time.sleep(1.1)  # a UIDVALIDITY is a time in seconds
    bench.door.create_folder("Sent")
    fill(bench, "Sent", 5)
    fill(bench, "Sent", 5, sender="ben@y.example", first=70)


@pytest.mark.parametrize(("change", "erased", "others"), [(_renames, 5, 0), (_deletes, 0, 0), (_replaces, 5, 5)])
def test_a_folder_that_changes_under_an_erasure_is_looked_at_again(
    bench: DovecotBench, change: Callable[[DovecotBench], None], erased: int, others: int
) -> None:
    fill(bench, "Sent", 5)
    call, gate = asking(bench), Gate()
    anchors = bench.connector.locate(call).anchors

    with bench.proxy.at(b"SELECT", lambda: change(bench)), pytest.raises(Retryable) as caught:
        bench.connector.erase(replace(call, anchors=anchors, fence=gate))

    assert (caught.value.code, gate.passages) == (Code.BUSY, [])
    assert until_done(bench, replace(call, anchors=anchors)) == erased
    assert senders(bench) == ["ben@y.example"] * others
    assert bench.connector.verify(replace(call, anchors=anchors)).tally.left == 0


def test_a_message_that_vanishes_during_an_export_makes_it_anew(bench: DovecotBench) -> None:
    fill(bench, "INBOX", 3)
    parts = bench.connector.export(asking(bench))
    table = next(parts)
    b"".join(table.pages)
    bench.door.select_folder("INBOX")
    bench.door.delete_messages([2])
    bench.door.uid_expunge([2])

    with pytest.raises(Retryable):
        [part for part in parts if b"".join(part.pages)]


def test_a_folder_that_may_only_be_read_is_a_task_and_no_erasure(dovecot: Dovecot, bench: DovecotBench) -> None:
    fill(bench, "Sent", 2)
    place = dovecot.folder(bench.user, "Sent")
    bench.connector.locate(asking(bench))
    for part in ("cur", "new", "tmp"):
        (place / part).chmod(0o555)

    try:
        with pytest.raises(ConnectorError) as caught:
            bench.connector.erase(asking(bench))
    finally:
        for part in ("cur", "new", "tmp"):
            (place / part).chmod(0o755)

    assert caught.value.tally.of("messages").erased == 0
    assert len(bench.everything()["messages"]) == 2


def test_names_of_folders_are_no_obstacle(bench: DovecotBench) -> None:
    names = ["Ä/ö & ü", "日本", 'with "quotes"', "a\\b", "100% *", "(x) {3}", "1234"]
    for name in names:
        bench.door.create_folder(name)
        bench.put(name, message(names.index(name)))

    parts = [part for part in bench.connector.export(asking(bench)) if not list(part.pages) or part.name]
    assert len(parts) == len(names)
    assert bench.connector.erase(asking(bench)).of("messages").erased == len(names)
    assert senders(bench) == []


class TestLocking:
    """Restriction, and back."""

    def test_what_is_locked_away_is_found_given_and_erased(self, bench: DovecotBench) -> None:
        fill(bench, "INBOX", 5)
        fill(bench, "INBOX", 2, sender="ben@y.example", first=50)
        restricted = bench.connector.restrict(asking(bench))
        call = asking(bench, restricted=restricted.state)

        places = {key[0] for key in bench.everything()["messages"]}
        assert places == {"INBOX", "Locked/INBOX"}
        assert bench.connector.locate(call).tally.found == 5
        assert sum(part.name != "" for part in bench.connector.export(call) if list(part.pages)) == 5
        assert bench.connector.erase(call).of("messages").erased == 5
        assert senders(bench) == ["ben@y.example"] * 2
        assert bench.connector.lift(call).found == 0

    def test_flags_and_times_come_back_as_they_were(self, bench: DovecotBench) -> None:
        bench.put("Kunden/Ängste & Co", message(1), b"\\Flagged", b"\\Answered", b"urgent")
        bench.put("Trash", message(2), b"\\Deleted")
        before = everywhere(bench.everything())

        restricted = bench.connector.restrict(asking(bench))
        assert restricted.tally.found == 2
        assert bench.connector.restrict(asking(bench)).state == restricted.state, "again changes nothing"
        assert bench.connector.lift(asking(bench, restricted=restricted.state)).found == 2

        assert everywhere(bench.everything()) == before

    @pytest.mark.parametrize("command", [b"STORE", b"MOVE"])
    def test_an_attempt_that_was_cut_forgets_nothing(self, bench: DovecotBench, command: bytes) -> None:
        fill(bench, "INBOX", 6)
        fill(bench, "Sent", 6)
        before = everywhere(bench.everything())

        with bench.proxy.loses(command), pytest.raises(Retryable):
            bench.connector.restrict(asking(bench))
        with bench.proxy.loses(command), pytest.raises(Retryable):
            bench.connector.restrict(asking(bench))
        assert bench.connector.restrict(asking(bench)).tally.found == 12
        with bench.proxy.loses(command), pytest.raises(Retryable):
            bench.connector.lift(asking(bench))
        bench.connector.lift(asking(bench))

        assert everywhere(bench.everything()) == before

    def test_what_another_request_keeps_locked_stays_locked(self, bench: DovecotBench) -> None:
        fill(bench, "INBOX", 3)
        before = everywhere(bench.everything())
        ours, theirs = asking(bench, session="habeas-aaa"), asking(bench, session="habeas-bbb")
        bench.connector.restrict(ours)
        bench.connector.restrict(theirs)

        bench.connector.lift(ours)
        assert {key[0] for key in bench.everything()["messages"]} == {"Locked/INBOX"}
        bench.connector.lift(theirs)

        assert everywhere(bench.everything()) == before

    def test_a_folder_that_is_gone_meanwhile_is_made_again(self, bench: DovecotBench) -> None:
        fill(bench, "Spam", 2)
        before = everywhere(bench.everything())
        restricted = bench.connector.restrict(asking(bench))
        bench.door.delete_folder("Spam")

        bench.connector.lift(asking(bench, restricted=restricted.state))

        assert everywhere(bench.everything()) == before

    def test_moves_ask_the_fence(self, bench: DovecotBench) -> None:
        fill(bench, "INBOX", 2)
        with pytest.raises(Held):
            bench.connector.restrict(asking(bench, fence=Gate(refuse=Held(Code.HOLD))))
        assert {key[0] for key in bench.everything()["messages"]} == {"INBOX"}

    def test_another_environment_stops_it(self, bench: DovecotBench) -> None:
        fill(bench, "INBOX", 2)
        for act in (bench.connector.restrict, bench.connector.lift):
            with pytest.raises(NeedsHuman) as caught:
                act(asking(bench, environment="elsewhere"))
            assert caught.value.code is Code.ENVIRONMENT


def test_a_locked_folder_that_others_may_read_is_none() -> None:
    acl = "plugin {\n acl = vfile\n}\n"
    with Dovecot(plugins="acl", imap_plugins="acl imap_acl", more=acl) as server:
        bench = DovecotBench(server, GOES, ("INBOX", "Locked"))
        bench.mark("conformance")
        fill(bench, "INBOX", 2)
        bench.door.setacl("Locked", "ben@shop.example", "lr")

        with pytest.raises(NeedsHuman) as caught:
            bench.connector.restrict(asking(bench))

        assert caught.value.code is Code.RIGHTS
        assert {key[0] for key in bench.everything()["messages"]} == {"INBOX"}
        bench.door.setacl("Locked", "ben@shop.example", "p")
        bench.connector.restrict(asking(bench))
        assert {key[0] for key in bench.everything()["messages"]} == {"Locked/INBOX"}
        bench.close()


def test_an_account_that_is_full_is_locked_away_and_erased_all_the_same() -> None:
    quota = "plugin {\n quota = maildir:User\n quota_rule = *:bytes=3000\n}\n"
    with Dovecot(plugins="quota", more=quota) as server:
        bench = DovecotBench(server, GOES, ("INBOX",))
        bench.mark("conformance")
        bench.put("INBOX", message(1, f"X-Padding: {'x' * 2700}"))
        with pytest.raises(IMAPClientError, match="OVERQUOTA"):
            bench.put("INBOX", message(2, f"X-Padding: {'x' * 2700}"))

        restricted = bench.connector.restrict(asking(bench))

        assert {key[0] for key in bench.everything()["messages"]} == {"Locked/INBOX"}
        assert bench.connector.erase(asking(bench, restricted=restricted.state)).of("messages").erased == 1
        bench.close()


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        ("move failed: [OVERQUOTA] Quota exceeded for anna@x.example", NeedsHuman, Code.QUOTA),
        ("store failed: [NOPERM] Permission denied: Anna", NeedsHuman, Code.RIGHTS),
        ("select failed: [INUSE] locked by anna", Retryable, Code.BUSY),
        ("login failed: [UNAVAILABLE] later", Retryable, Code.UNREACHABLE),
        ("search failed: who is anna@x.example?", NeedsHuman, Code.INTERNAL),
        ("select failed: no such folder [ANNA] here", NeedsHuman, Code.INTERNAL),
        ("create failed: [ANNA-BERG ] is there already", NeedsHuman, Code.INTERNAL),
        ("store failed: [READ-ONLY] by anna", NeedsHuman, Code.RIGHTS),
    ],
)
def test_what_a_server_says_becomes_a_code_and_nothing_of_it_is_passed_on(
    said: str, kind: type[ConnectorError], code: Code
) -> None:
    error = explain(IMAPClientError(said), "support")

    assert (type(error), error.code) == (kind, code)
    assert "anna" not in str(error).lower()
    if code is Code.INTERNAL:
        assert error.about == IMAPClientError.__name__, "the class, where no word is one that servers share"
        assert explain(IMAPClientError("create failed: [NONEXISTENT] anna"), "support").about == "NONEXISTENT"
