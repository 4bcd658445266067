"""A restriction in every kind of system: what each can do, what it says, and how everything comes back."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from starter.cli import app
from starter.stack import Objects
from tests.connectors.dovecot import Dovecot, needs_dovecot
from tests.connectors.mail_place import shared_dovecot
from tests.connectors.mailbox_bench import GOES, SUPPORT, DovecotBench, everywhere
from tests.connectors.s3_bench import BY_TEMPLATE, S3Bench
from tests.connectors.s3_place import shared_objects
from tests.stories.test_restriction import habeas, look_now, opened, typed
from tests.stories.test_rulings import ARCHIVE
from tests.world import World, dump, shop_map

__all__ = ["habeas", "shared_dovecot", "shared_objects"]

pytestmark = [needs_dovecot, pytest.mark.soak]

KEY = "users/7/letter.txt"


@pytest.fixture
def bucket(objects: Objects) -> Iterator[S3Bench]:
    bench = S3Bench(objects)
    bench.mark("test")
    bench.put(KEY, b"Dear Anna", Tagging="kind=upload")
    bench.put("users/8/letter.txt", b"Dear Otto")
    yield bench
    bench.close()


@pytest.fixture
def mailbox(dovecot: Dovecot) -> Iterator[DovecotBench]:
    bench = DovecotBench(dovecot)
    bench.mark("test")
    for who in ("c7@shop.example", "c8@shop.example"):
        bench.put("INBOX", f"From: {who}\r\nTo: {SUPPORT}\r\nSubject: hello\r\n\r\nHello\r\n".encode())
    yield bench
    bench.close()


def reads(bucket: S3Bench, key: str = KEY) -> bool:
    """Whether the application's own account gets at the object."""
    try:
        bucket.server.client(bucket.app).get_object(Bucket=bucket.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


def inbox(mailbox: DovecotBench) -> int:
    """Messages in the folder that everybody works in."""
    mailbox.door.select_folder("INBOX", readonly=True)
    return len(mailbox.door.search("ALL"))


def maps(world: World, bucket: S3Bench, mailbox: DovecotBench) -> dict[str, str]:
    """A map of five systems, of which one cannot restrict and one is worked by hand."""
    os.environ |= {
        "TEST_S3_READER": f"{bucket.reader.access_key}:{bucket.reader.secret_key}",
        "TEST_S3_WRITER": f"{bucket.writer.access_key}:{bucket.writer.secret_key}",
        "TEST_MAIL": mailbox.url,
        "TEST_OLD": f"sqlite:///{world.home / 'old.db'}",
    }
    options = f"bucket: {bucket.bucket}, endpoint: 'http://127.0.0.1:{bucket.proxy.port}', plaintext: true"
    uploads = BY_TEMPLATE.replace("options: {plaintext: true", f"options: {{{options}", 1)
    uploads += "connection: {reader: env:TEST_S3_READER, writer: env:TEST_S3_WRITER}\nmode: auto\n"
    support = GOES + "connection: {reader: env:TEST_MAIL, writer: env:TEST_MAIL}\nmode: auto\n"
    old = (
        "system: old\nowner: nobody\nconnector: sql\nbackups: none\nmode: auto\n"
        "connection: {reader: env:TEST_OLD, writer: env:TEST_OLD}\n"
        "collections:\n  people:\n    key: [id]\n"
        "    fields: {id: {}, email: {category: contact, identity: email}, name: {category: contact}}\n"
    )
    return {"uploads": uploads, "support": support, "old": old, "archive": ARCHIVE, "shop": shop_map()}


def states(habeas: CliRunner, request: str) -> dict[str, str]:
    shown = typed(habeas, "restriction", "show", request)
    return {one["system"]: one["state"] for one in shown["systems"]}


def test_each_system_says_honestly_what_it_did(
    world: World, habeas: CliRunner, bucket: S3Bench, mailbox: DovecotBench
) -> None:
    with closing(sqlite3.connect(world.home / "old.db", isolation_level=None)) as door:
        door.executescript(
            "CREATE TABLE habeas_environment (environment TEXT); INSERT INTO habeas_environment VALUES ('test');"
            "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, name TEXT);"
            "INSERT INTO people VALUES (1, 'c7@shop.example', 'Anna');"
        )
    world.write_maps(maps(world, bucket, mailbox))
    objects, messages, shop = bucket.everything(), mailbox.everything(), dump(world.shop)
    folders = everywhere(messages)
    world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0")
    file = world.home / "who.json"
    file.write_text(json.dumps({"email": "c7@shop.example", "user_id": "7"}))
    details = world.home / "details.yaml"
    details.write_text("ground: unlawful\nsystems: [uploads, support, old, archive]\n")
    words = ("--identities", str(file), "--details", str(details), "--confirmed-by", "support desk")
    request = str(typed(habeas, "request", "open", "restriction", *words)["id"])

    # By hand: the cabinet is looked into, and locked. What cannot be locked is given up, and said so.
    world.rule(request, world.wait_task(request, "manual"), "done")
    world.wait(
        lambda: world.query(
            "SELECT 1 FROM tasks WHERE request_id = %s AND step_key LIKE '%%/archive/restrict/%%'", request
        ),
        60,
        "the cabinet's lock",
    )
    world.rule(request, world.wait_task(request, "manual"), "done")
    world.rule(request, world.wait_task(request, "unsupported"), "give_up")
    world.wait_closed(request)

    assert states(habeas, request) == {
        "uploads": "restricted",
        "support": "restricted",
        "archive": "by_hand",
        "old": "not_restricted",
    }
    assert world.conclusion(request) == "in_part"
    assert not reads(bucket)
    assert inbox(mailbox) == 1
    assert dump(world.shop) == shop, "nobody has asked for the shop"
    letter = habeas.invoke(app, ["request", "answer", request]).stdout
    assert "- uploads: restricted; we have looked again, and nobody but us gets at it" in letter
    assert "- archive: locked away by hand" in letter
    assert "- old: not restricted: this system has no way to" in letter
    assert "told before it is lifted" in letter

    # An erasure finds and takes what is locked away; somebody else's request is nobody's business here.
    typed(habeas, "restriction", "lift", request, "--because", "asked", "--notice-days", "0")
    typed(habeas, "restriction", "told", request)
    world.rule(request, world.wait_task(request, "manual"), "done")
    world.wait(lambda: states(habeas, request)["uploads"] == "lifted", 60, "the bucket's lifting")
    world.wait(lambda: typed(habeas, "restriction", "show", request)["stage"] == "lifted", 60, "the lifting")

    assert reads(bucket)
    assert bucket.everything() == objects
    assert everywhere(mailbox.everything()) == folders
    assert states(habeas, request) == {
        "uploads": "lifted",
        "support": "lifted",
        "archive": "lifted",
        "old": "not_restricted",
    }


def test_objects_and_messages_that_come_later_are_locked_by_the_next_look(
    world: World, habeas: CliRunner, bucket: S3Bench, mailbox: DovecotBench
) -> None:
    every = maps(world, bucket, mailbox)
    world.write_maps({name: every[name] for name in ("uploads", "support")})
    world.start_worker(HABEAS_RESTRICTION_NOTICE_DAYS="0", HABEAS_RESTRICTION_LOOK_EVERY="PT1S")
    file = world.home / "who.json"
    file.write_text(json.dumps({"email": "c7@shop.example", "user_id": "7"}))
    details = world.home / "details.yaml"
    details.write_text("ground: unlawful\n")
    words = ("--identities", str(file), "--details", str(details), "--confirmed-by", "support desk")
    request = str(typed(habeas, "request", "open", "restriction", *words)["id"])
    world.wait_closed(request)

    bucket.put("users/7/later.txt", b"Dear Anna once more")
    mailbox.put("INBOX", f"From: c7@shop.example\r\nTo: {SUPPORT}\r\nSubject: again\r\n\r\nAgain\r\n".encode())
    assert reads(bucket, "users/7/later.txt")
    assert inbox(mailbox) == 2

    look_now(world, lambda: not reads(bucket, "users/7/later.txt") and inbox(mailbox) == 1)

    assert reads(bucket, "users/8/letter.txt"), "and nobody else's"
    typed(habeas, "restriction", "lift", request, "--because", "asked", "--notice-days", "0")
    typed(habeas, "restriction", "told", request)
    world.wait(lambda: typed(habeas, "restriction", "show", request)["stage"] == "lifted", 60, "the lifting")
    assert reads(bucket)
    assert reads(bucket, "users/7/later.txt")
    assert inbox(mailbox) == 3


def test_what_is_locked_away_is_found_and_erased_by_another_request(
    world: World, habeas: CliRunner, mailbox: DovecotBench
) -> None:
    os.environ["TEST_MAIL"] = mailbox.url
    world.write_maps({"support": GOES + "connection: {reader: env:TEST_MAIL, writer: env:TEST_MAIL}\nmode: auto\n"})
    world.start_worker()
    request = opened(world, habeas, "restriction", "ground: claims\n", ("email", "c7@shop.example"))
    world.wait_closed(request)
    assert inbox(mailbox) == 1
    # The map of today has no locked folder any more: only the restriction itself knows where the message lies.
    moved = GOES.replace(", locked_folder: Locked", ", include: [INBOX]")
    assert moved != GOES
    for process in world.workers:
        process.terminate()
        process.wait()
    world.write_maps({"support": moved + "connection: {reader: env:TEST_MAIL, writer: env:TEST_MAIL}\nmode: auto\n"})
    world.start_worker()

    erasure = world.open("erasure", [("email", "c7@shop.example")])
    world.wait_closed(erasure)

    assert world.conclusion(erasure) == "answered"
    assert not any("c7@" in str(row) for row in mailbox.everything()["messages"].values())
