"""`habeas connector lint` and `test` say what is wrong and where, and change nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.http.vendorfile import find_vendor, shipped
from starter.cli import app
from starter.stack.vendors import Vendors

MAP = """
system: newsletter
owner: marketing
connector: http
backups: none
connection: {{key: env:MAILCHIMP_KEY}}
options: {{vendor: mailchimp, dc: us1, base_url: "{url}", private: [127.0.0.1]}}
collections:
  members:
    key: [list_id, id]
    fields: {{list_id: {{}}, id: {{}}, email: {{category: contact, identity: email}}}}
"""


@pytest.fixture(scope="module")
def vendors() -> Iterator[Vendors]:
    with Vendors(people=5) as running:
        yield running


def habeas(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def test_shipped_vendors_are_good() -> None:
    code, said = habeas("connector", "lint", "--json", *shipped())

    assert code == 0
    assert [check["name"] for check in json.loads(said)["checks"]] == list(shipped())


def test_a_wrong_file_is_named_with_line_and_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    lines = find_vendor("stripe").read_text().splitlines()
    wrong = next(n for n, line in enumerate(lines, 1) if line.startswith("secrets:"))
    file.write_text("\n".join(["secret:" if n == wrong else line for n, line in enumerate(lines, 1)]))

    code, said = habeas("connector", "lint", "--json", str(file))

    assert code == 1
    check = next(check for check in json.loads(said)["checks"] if check["name"] == f"{file}:{wrong}")
    assert (check["about"], check["advice"]) == ("secret", "'secret' is not a key here; did you mean 'secrets'?")


def test_a_vendor_that_is_not_there_is_said_so() -> None:
    code, said = habeas("connector", "lint", "mailchump")

    assert code == 2
    assert "vendor 'mailchump' has no file" in said


def test_an_account_is_tried_and_nothing_changes(
    vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "newsletter.yaml"
    file.write_text(MAP.format(url=vendors.url("mailchimp")))
    email = next(iter(vendors.dump("mailchimp")["members"]["a1b2c3d4e5"].values()))["email_address"]
    before = vendors.dump("mailchimp")
    monkeypatch.setenv("MAILCHIMP_KEY", "mailchimp-key-us1")

    code, said = habeas("connector", "test", "--json", str(file), "--identity", f"email={email}")

    assert code == 0
    assert [check["name"] for check in json.loads(said)["checks"]] == ["newsletter", "credentials", "located"]
    assert email not in said
    assert vendors.dump("mailchimp") == before


def test_a_wrong_secret_is_named_and_not_shown(
    vendors: Vendors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "newsletter.yaml"
    file.write_text(MAP.format(url=vendors.url("mailchimp")))
    monkeypatch.setenv("MAILCHIMP_KEY", "wrong-and-secret")

    code, said = habeas("connector", "test", "--json", str(file))

    assert code == 1
    last = json.loads(said)["checks"][-1]
    assert (last["name"], last["ok"], last["about"]) == ("credentials", False, "key")
    assert "wrong-and-secret" not in said
