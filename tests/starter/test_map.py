"""`habeas map discover` and `map diff`, as a person types them; and what `map check --live` finds beside the map."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import yaml

from rights.backups import Backups
from rights.mapfile import read_map
from starter.shop import map_text
from starter.stack import Postgres
from tests.conftest import Database
from tests.starter.conftest import Deployment, one_sentence

SHOP = (Path(__file__).parent.parent.parent / "starter" / "demo" / "shop.sql").read_text()


@pytest.fixture
def shop(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    with psycopg.connect(database.conninfo, autocommit=True) as door:
        door.execute(SHOP.encode())
        door.execute(f"ALTER DATABASE {database.name} SET habeas.environment = 'test'")
    monkeypatch.setenv("SHOP_DB_URL", database.url)
    return database


def test_a_draft_goes_to_standard_output_and_checks_without_an_error(
    deployment: Deployment, shop: Database, tmp_path: Path
) -> None:
    drafted = deployment("map", "discover", "shop", "--url", "env:SHOP_DB_URL")

    assert (drafted.code, drafted.err) == (0, "")
    assert shop.url not in drafted.out
    (tmp_path / "draft.yaml").write_text(drafted.out)
    checked = deployment("map", "check", "--live", "--json", str(tmp_path / "draft.yaml"))
    assert checked.code == 0, checked.out
    found = checked.json["checks"]
    assert {check["severity"] for check in found} <= {"", "warning", "note"}
    assert not {check["code"] for check in found} & {"unreached", "reference_blocks", "missing_column"}
    assert "# QUESTION: how old do backups get" in drafted.out
    assert read_map({"draft": drafted.out}).systems["shop"].backups == Backups(
        max_age="unknown", beyond_use="not known yet"
    )
    told = deployment("map", "discover", "shop", "--url", "env:SHOP_DB_URL", "--json").json
    assert told["map"]["collections"].keys() == read_map({"draft": drafted.out}).systems["shop"].collections.keys()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "give either --url"),
        (("--url", "postgresql://someone:Secret@host/db"), 2, "never is the address"),
        (("--url", "env:NOWHERE_URL"), 2, "NOWHERE_URL"),
        (("--url", "env:ODD_URL"), 2, "postgresql://user:password@host"),
        (("--url", "env:AWAY_URL"), 3, "unreachable"),
        (("--from-fides", "habeas.toml"), 1, "habeas.toml:1"),
    ],
)
def test_what_cannot_be_discovered_is_said_in_a_sentence(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.setenv("ODD_URL", "Secret words")
    monkeypatch.setenv("AWAY_URL", "postgresql://someone:Secret@127.0.0.1:1/db")

    answer = deployment("map", "discover", "shop", *arguments)

    assert (answer.code, answer.out) == (code, "")
    assert one_sentence(answer.err)
    assert said in answer.err
    assert "Secret" not in answer.err


def test_map_check_live_names_what_stands_beside_the_map(deployment: Deployment, shop: Database) -> None:
    (deployment.home / "secrets" / "shop_reader").write_text(shop.url)
    (deployment.home / "secrets" / "shop_writer").write_text(shop.url)
    (deployment.home / "maps" / "shop.yaml").write_text(map_text("auto"))
    with psycopg.connect(shop.conninfo, autocommit=True) as door:
        door.execute(
            """
            CREATE TABLE leads (id int PRIMARY KEY, email text, phone text);
            CREATE TABLE colours (id int PRIMARY KEY, colour text);
            ALTER TABLE customers ADD twitter text, ADD shade text;
            CREATE TABLE customers_history (id bigint, row jsonb);
            CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
              $$BEGIN INSERT INTO customers_history VALUES (OLD.id, to_jsonb(OLD)); RETURN OLD; END$$;
            CREATE TRIGGER keep AFTER DELETE ON customers FOR EACH ROW EXECUTE FUNCTION keep();
            CREATE TABLE carts (id int PRIMARY KEY, customer bigint REFERENCES customers ON DELETE CASCADE);
            """
        )

    answer = deployment("map", "check", "--live", "--json", "maps")

    found = {
        (check["code"], check["severity"]): f"{check['about']}: {check['advice']}" for check in answer.json["checks"]
    }
    assert answer.code == 1
    assert "customers_history" in found["trigger_copies", "error"]
    assert "carts" in found["reference_cascades", "error"]
    assert "leads seems to hold personal data (email, phone)" in found["unreached", "warning"]
    assert "customers.twitter" in found["unmapped_personal_column", "warning"]
    assert "shade" in found["unmapped_column", "note"]
    assert "colours" in found["unmapped_table", "note"]
    assert not [code for code, _ in found if "backups" in code]

    with psycopg.connect(shop.conninfo, autocommit=True) as door:
        door.execute("DROP TRIGGER keep ON customers; DROP TABLE carts")
    assert deployment("map", "check", "--live", "maps").code == 0, "a warning is no failure"


def test_a_map_that_does_not_say_how_long_backups_live_is_refused_by_every_door(deployment: Deployment) -> None:
    file = deployment.home / "maps" / "shop.yaml"
    line = next(line for line in file.read_text().splitlines() if line.startswith("backups:"))
    file.write_text(file.read_text().replace(f"{line}\n", ""))

    checked = deployment("map", "check", "maps")
    opened = deployment("request", "open", "erasure", "--identities", "-", given="email=a@example.org")
    worker = deployment("worker")

    for answer in (checked, opened, worker):
        assert answer.code == 1
        assert "shop.yaml:3" in answer.out + answer.err
        assert "backups: {max_age: P35D, beyond_use: " in answer.out + answer.err
    file.write_text(file.read_text() + "backups: {max_age: unknown, beyond_use: nobody restores one}\nmode: auto\n")
    file.write_text(file.read_text().replace("mode: observe  ", "# "))
    checked = deployment("map", "check", "--json", "maps")
    assert [check["code"] for check in checked.json["checks"] if check["severity"]] == ["backups_unknown"]


def test_map_diff_says_what_would_newly_be_done(deployment: Deployment, tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(map_text("observe"))
    new.write_text(map_text("auto").replace("      note: {category: purchases, strategy: null}\n", "      note: {}\n"))

    same = deployment("map", "diff", str(old), str(old))
    answer = deployment("map", "diff", str(old), str(new).replace("new", "old"), "--json")
    assert (same.code, answer.json["same"]) == (0, True)

    new.write_text(map_text("auto"))
    differs = deployment("map", "diff", str(old), str(new))
    assert differs.code == 1
    assert "+ erased  erasures are carried out without approval (mode auto)" in differs.out


FIDES = {
    "dataset": [
        {
            "fides_key": "shop",
            "name": "The shop",
            "collections": [
                {
                    "name": "customer",
                    "fields": [
                        {"name": "id", "fides_meta": {"primary_key": True, "data_type": "integer"}},
                        {
                            "name": "email",
                            "data_categories": ["user.contact.email"],
                            "fides_meta": {"identity": "email", "data_type": "string"},
                        },
                        {
                            "name": "name",
                            "data_categories": ["user.name"],
                            "fides_meta": {"masking_strategy_override": {"strategy": "string_rewrite"}},
                        },
                        {
                            "name": "card",
                            "data_categories": ["user.financial"],
                            "fides_meta": {"masking_strategy_override": {"strategy": "hash"}},
                        },
                    ],
                },
                {
                    "name": "orders",
                    "fields": [
                        {"name": "id", "fides_meta": {"primary_key": True}},
                        {
                            "name": "customer_id",
                            "fides_meta": {
                                "references": [{"dataset": "shop", "field": "customer.id", "direction": "from"}]
                            },
                        },
                        {"name": "shipping", "data_categories": ["user.contact.address"]},
                    ],
                },
                {"name": "colours", "fields": [{"name": "id", "data_categories": ["system.operations"]}]},
            ],
        }
    ]
}


def test_a_fides_dataset_is_taken_over(deployment: Deployment, tmp_path: Path) -> None:
    file = tmp_path / "fides.yml"
    file.write_text(yaml.safe_dump(FIDES, sort_keys=False))

    drafted = deployment("map", "discover", "shop", "--from-fides", str(file))

    assert drafted.code == 0, drafted.err
    system = read_map({"shop.yaml": drafted.out}).systems["shop"]
    assert set(system.collections) == {"customer", "orders"}
    customer, orders = system.collections["customer"], system.collections["orders"]
    assert (customer.key, customer.erase) == (("id",), "redact")
    assert (customer.fields["email"].identity, customer.fields["email"].category) == ("email", "user.contact.email")
    assert (customer.fields["name"].strategy, customer.fields["name"].value) == ("constant", "MASKED")
    assert customer.fields["card"].strategy == "anonymise"
    assert "Fides hashes it, which can be undone by trying" in drafted.out
    assert [(link.field, link.to) for link in orders.links] == [("customer_id", "customer.id")]
    assert "colours: no reference of the file leads to it" in drafted.out


def test_a_reference_to_another_dataset_is_a_question(deployment: Deployment, tmp_path: Path) -> None:
    text = yaml.safe_dump(FIDES, sort_keys=False).replace("dataset: shop\n", "dataset: billing\n")
    file = tmp_path / "fides.yml"
    file.write_text(text)

    drafted = deployment("map", "discover", "shop", "--from-fides", str(file))

    assert drafted.code == 0
    assert set(read_map({"shop.yaml": drafted.out}).systems["shop"].collections) == {"customer"}


def test_progress_goes_to_standard_error_alone(postgres: Postgres, deployment: Deployment, shop: Database) -> None:
    del postgres
    drafted = deployment("map", "discover", "shop", "--url", "env:SHOP_DB_URL", "--sample")

    assert drafted.code == 0
    assert all(line.startswith("habeas: ") for line in drafted.err.splitlines())
    assert read_map({"shop.yaml": drafted.out}).systems["shop"].mode == "observe"
