"""Providers of key-encryption keys: files, a root secret, AWS KMS."""

import secrets
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from ledger.errors import KeyGoneError, VaultError
from ledger.keys import EnvKeys, FileKeys, KeyProvider, open_keys
from ledger.kms import KmsKeys
from ledger.ledger import Ledger
from tests.conftest import Database
from tests.ledger.builders import ANNA, AT, close_one, later, opened_id

ROOT = "a root secret of more than 32 characters"
KEY = bytes(range(32))


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """KMS as moto has it, and credentials that are worth nothing elsewhere."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield


@pytest.fixture(params=["file", "env", "kms"])
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> KeyProvider:
    """Each provider in turn."""
    match request.param:
        case "file":
            return FileKeys(tmp_path / "keys")
        case "env":
            return EnvKeys(ROOT)
    request.getfixturevalue("cloud")
    return KmsKeys.connect("habeas/")


def test_a_key_that_was_wrapped_is_unwrapped(provider: KeyProvider) -> None:
    provider.create("main-2026-03")
    provider.create("main-2026-03")
    wrapped = provider.wrap("main-2026-03", KEY)

    assert provider.unwrap("main-2026-03", wrapped) == KEY
    assert KEY not in wrapped


def test_another_months_key_does_not_unwrap(provider: KeyProvider) -> None:
    for month in ("main-2026-03", "main-2026-04"):
        provider.create(month)
    wrapped = provider.wrap("main-2026-03", KEY)

    with pytest.raises(VaultError, match="not wrapped by the key main-2026-04"):
        provider.unwrap("main-2026-04", wrapped)


def test_a_destroyed_key_is_gone(provider: KeyProvider) -> None:
    provider.create("main-2026-03")
    wrapped = provider.wrap("main-2026-03", KEY)

    if not provider.destroys:
        with pytest.raises(VaultError, match="cannot be destroyed one by one"):
            provider.destroy("main-2026-03")
        assert provider.unwrap("main-2026-03", wrapped) == KEY
        return
    provider.destroy("main-2026-03")
    provider.destroy("main-2026-03")

    with pytest.raises(KeyGoneError):
        provider.unwrap("main-2026-03", wrapped)
    with pytest.raises(KeyGoneError):
        provider.wrap("main-2026-03", KEY)
    provider.create("main-2026-03")
    with pytest.raises(VaultError):
        provider.unwrap("main-2026-03", wrapped)


def test_how_long_a_destroyed_key_can_be_brought_back(tmp_path: Path, cloud: None) -> None:
    for keys, grace in ((FileKeys(tmp_path), timedelta(0)), (KmsKeys.connect("habeas-"), timedelta(days=7))):
        keys.create("main-2026-03")
        assert keys.destroy("main-2026-03") == grace


def test_key_files_are_for_the_worker_alone(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "keys"
    FileKeys(directory).create("main-2026-03")

    (file,) = directory.iterdir()
    assert file.name == "main-2026-03.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert file.stat().st_size == 32


def test_a_destroyed_key_file_is_overwritten_before_it_goes(tmp_path: Path) -> None:
    keys = FileKeys(tmp_path)
    keys.create("main-2026-03")
    file = tmp_path / "main-2026-03.key"
    secret = file.read_bytes()

    with file.open("rb", buffering=0) as still_open:
        keys.destroy("main-2026-03")
        assert not file.exists()
        left = still_open.read()
    assert len(left) == len(secret)
    assert left != secret


def test_a_key_made_by_two_at_once_is_one(tmp_path: Path) -> None:
    for number in range(20):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _, n=number: FileKeys(tmp_path).create(f"k{n}"), range(2)))
        wrapped = FileKeys(tmp_path).wrap(f"k{number}", KEY)
        assert FileKeys(tmp_path).unwrap(f"k{number}", wrapped) == KEY
    assert len(list(tmp_path.iterdir())) == 20


def test_a_damaged_key_file_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "main-2026-03.key").write_bytes(b"short")

    with pytest.raises(KeyGoneError, match="damaged"):
        FileKeys(tmp_path).wrap("main-2026-03", KEY)


def test_references_name_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud: None) -> None:
    monkeypatch.setenv("HABEAS_ROOT", ROOT)

    assert isinstance(open_keys(f"file:{tmp_path}/k"), FileKeys)
    assert isinstance(open_keys("env:HABEAS_ROOT"), EnvKeys)
    assert isinstance(open_keys("kms:habeas-"), KmsKeys)
    for wrong in ("", "file:", "vault:x", "kms:", "/path"):
        with pytest.raises(ValueError, match="file:DIRECTORY, env:NAME or kms:ALIAS_PREFIX"):
            open_keys(wrong)


@pytest.mark.parametrize("secret", [None, "", "hunter2"])
def test_a_weak_or_missing_root_secret_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    monkeypatch.delenv("HABEAS_ROOT", raising=False)
    if secret is not None:
        monkeypatch.setenv("HABEAS_ROOT", secret)

    with pytest.raises(ValueError, match="set HABEAS_ROOT to a long random text") as refusal:
        open_keys("env:HABEAS_ROOT")
    assert "hunter2" not in str(refusal.value)


def test_root_secrets_derive_different_keys_per_id() -> None:
    keys = EnvKeys(ROOT)
    wrapped = keys.wrap("a", KEY)

    with pytest.raises(VaultError):
        EnvKeys(ROOT + "!").unwrap("a", wrapped)
    with pytest.raises(VaultError):
        keys.unwrap("b", wrapped)


def test_kms_keys_have_an_alias_each_and_none_is_left_over(cloud: None) -> None:
    keys, client = KmsKeys.connect("habeas/"), boto3.client("kms")
    keys.create("main-2026-03")
    keys.create("main-2026-03")

    ours = [one for one in client.list_aliases()["Aliases"] if one["AliasName"].startswith("alias/habeas/")]
    assert [one["AliasName"] for one in ours] == ["alias/habeas/main-2026-03"]
    assert len(client.list_keys()["Keys"]) == 1
    keys.destroy("main-2026-03")
    state = client.describe_key(KeyId=ours[0]["TargetKeyId"])["KeyMetadata"]
    assert state["KeyState"] == "PendingDeletion"


def test_a_kms_key_that_is_already_dying_gets_a_successor_under_its_alias(cloud: None) -> None:
    keys, client = KmsKeys.connect("habeas/"), boto3.client("kms")
    keys.create("main-2026-03")
    # As it is when a worker is killed in the middle of `destroy`.
    client.schedule_key_deletion(
        KeyId=client.describe_key(KeyId="alias/habeas/main-2026-03")["KeyMetadata"]["KeyId"], PendingWindowInDays=7
    )

    keys.create("main-2026-03")

    assert keys.unwrap("main-2026-03", keys.wrap("main-2026-03", KEY)) == KEY


def test_a_ledger_lives_on_kms(make_ledger: Callable[..., Ledger], tables: Database, cloud: None) -> None:
    ledger = make_ledger(tables.url, keys=KmsKeys.connect("habeas/"))
    request_id = opened_id(ledger, free_text=secrets.token_hex())
    assert ledger.identities(request_id) == ANNA
    close_one(ledger, request_id, working_days=0)
    ledger.shred_due(AT)
    ledger.shred(request_id, ["history"], as_of=AT)

    (destroyed,) = ledger.retire_keks(AT)

    assert (destroyed.id, destroyed.final_at) == ("main-2026-03", later(days=7))
    kept = {key.purpose: key.out_of_backups_at for key in ledger.standing(request_id).keys}
    assert kept["working"] == later(days=7)
    assert ledger.unseal(request_id, "file", "request") is not None
    assert ledger.identities(opened_id(ledger)) == ANNA
