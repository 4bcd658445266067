"""The development object store: it signs and denies as S3 does, keeps objects over a kill, leaves nothing."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from starter.stack import HOST, Account, Objects, StackError


@pytest.fixture(scope="module")
def objects() -> Iterator[Objects]:
    with Objects() as server:
        yield server


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


@pytest.mark.soak
def test_objects_survive_a_kill_and_go_with_the_server() -> None:
    with Objects() as server:
        client = server.client()
        client.create_bucket(Bucket="kept")
        client.put_object(Bucket="kept", Key="a/b", Body=b"hello")

        server.kill()
        with pytest.raises((BotoCoreError, OSError)):
            client.get_object(Bucket="kept", Key="a/b")
        server.start()

        assert client.get_object(Bucket="kept", Key="a/b")["Body"].read() == b"hello"
        pid, home = server.pid, server.log.parent
        listening = {c.laddr.port for c in psutil.Process(pid).net_connections() if c.status == psutil.CONN_LISTEN}
    assert not psutil.pid_exists(pid)
    assert not Path(home).exists()
    left = Path("/tmp").glob("seaweedfs-*")  # noqa: S108 - where the server puts them
    assert not [path for path in left if any(str(port) in path.name for port in listening)]


def test_it_listens_on_loopback_alone_and_reports_to_nobody(objects: Objects) -> None:
    process = psutil.Process(objects.pid)

    for connection in process.net_connections():
        assert connection.laddr.ip in {HOST, "::ffff:127.0.0.1"}
        assert getattr(connection.raddr, "ip", HOST) in {HOST, "::ffff:127.0.0.1"}
    assert "-master.telemetry=false" in process.cmdline()


def test_its_secret_is_its_own_and_no_argument(objects: Objects) -> None:
    assert objects.admin.secret_key not in repr(objects.admin)
    assert not any(objects.admin.secret_key in word for word in psutil.Process(objects.pid).cmdline())
    assert objects.log.parent.stat().st_mode & 0o077 == 0
    forged = Account("admin", objects.admin.access_key, "0" * 40)
    with pytest.raises(ClientError) as caught:
        objects.client(forged).list_buckets()
    assert code_of(caught) == "SignatureDoesNotMatch"


def test_an_account_may_do_what_its_policy_says_until_it_is_revoked(objects: Objects) -> None:
    objects.client().create_bucket(Bucket="shelf")
    objects.client().put_object(Bucket="shelf", Key="book", Body=b"words")
    account = objects.account(
        "reader", {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::shelf/*"}
    )
    reader = objects.client(account)

    assert reader.get_object(Bucket="shelf", Key="book")["Body"].read() == b"words"
    with pytest.raises(ClientError) as caught:
        reader.put_object(Bucket="shelf", Key="book", Body=b"other words")
    assert code_of(caught) == "AccessDenied"
    policy = {"Effect": "Deny", "Principal": {"AWS": account.arn}, "Action": "s3:*", "Resource": "arn:aws:s3:::shelf/*"}
    objects.client().put_bucket_policy(
        Bucket="shelf", Policy=json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    )
    with pytest.raises(ClientError) as caught:
        reader.get_object(Bucket="shelf", Key="book")
    assert code_of(caught) == "AccessDenied"

    objects.revoke(account)
    with pytest.raises(ClientError) as caught:
        reader.get_object(Bucket="shelf", Key="book")
    assert code_of(caught) == "InvalidAccessKeyId"


@pytest.mark.soak
def test_a_server_that_does_not_heed_its_end_is_ended(objects: Objects) -> None:
    with Objects() as server, socket.create_connection((HOST, server.port)):
        pid = server.pid

        server.stop()

        assert not psutil.pid_exists(pid)
        with pytest.raises(StackError):
            _ = server.pid


@pytest.mark.soak
def test_with_a_home_objects_and_accounts_survive_a_kill_and_a_new_start(tmp_path: Path) -> None:
    with Objects(tmp_path / "objects") as first:
        first.client().create_bucket(Bucket="kept")
        first.client().put_object(Bucket="kept", Key="a/b", Body=b"hello")
        statement = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::kept/*"]}
        reader = first.account("kept-reader", statement)
        first.kill()

    with Objects(tmp_path / "objects", port=first.port) as second:
        assert second.client(reader).get_object(Bucket="kept", Key="a/b")["Body"].read() == b"hello"
