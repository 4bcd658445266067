"""Drafting, checking and trying on MariaDB: what a role is shown, what triggers and cascades do, what is not undone."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conformance import Gate
from connectors.errors import NeedsHuman, Retryable
from connectors.finding import Severity
from connectors.sql import SqlConnector
from connectors.sql.discovery import discover, draft_from, page
from connectors.sql.limits import Limits
from connectors.sql.mariadb import trying
from connectors.sql.mariadb.session import Database
from connectors.sql.reaching import reach
from rights.codes import Code
from rights.datamap import Erase, Strategy, System
from rights.mapfile import read_map
from tests.connectors.engine_place import ServerPlace
from tests.connectors.mariadb_server import MariaDBServer, needs_mariadb
from tests.connectors.sql_place import email

pytestmark = [needs_mariadb, pytest.mark.soak]

SHOP = """
CREATE TABLE customers (id bigint PRIMARY KEY, email varchar(200), name varchar(200) NOT NULL, KEY (email));
CREATE TABLE orders (id bigint PRIMARY KEY, customer bigint NOT NULL REFERENCES customers (id), note text);
CREATE TABLE audit (id bigint AUTO_INCREMENT PRIMARY KEY, was text);
CREATE TABLE baskets (id bigint PRIMARY KEY, customer bigint REFERENCES customers (id) ON DELETE CASCADE);
CREATE TABLE basket_lines (id bigint PRIMARY KEY, basket bigint REFERENCES baskets (id) ON DELETE SET NULL);
INSERT INTO customers SELECT seq, CONCAT('person', seq, '@example.org'), 'Person' FROM seq_1_to_5;
INSERT INTO orders SELECT seq, 1 + seq % 5, 'a note' FROM seq_1_to_20;
"""
MAP = """
  customers:
    key: [id]
    fields: {id: {}, email: {identity: email, category: contact}, name: {category: contact}}
  orders:
    key: [id]
    links: [{field: customer, to: customers.id}]
    fields: {id: {}, customer: {}, note: {category: notes}}
"""
WHO = email("person2@example.org")
KEEP = "CREATE TRIGGER keep AFTER DELETE ON orders FOR EACH ROW INSERT audit (was) VALUES (CONCAT('was ', OLD.note))"
LEAST = ("SELECT ON {db}.customers", "SELECT ON {db}.orders")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    with MariaDBServer(settings={"innodb-flush-log-at-trx-commit": "1"}) as server:
        yield server


@pytest.fixture
def shop(server: MariaDBServer) -> Iterator[ServerPlace]:
    made = ServerPlace(server, SHOP).mapped(MAP)
    yield made
    made.close()


def drafted(place: ServerPlace, url: str = "", **options: Any) -> tuple[System, str]:
    """The draft of a database, read back from its text."""
    draft = discover(url or place.url, system="shop", reader="env:SHOP", **options)
    text = page(draft)
    if draft.collections:
        (system,) = read_map({"shop.yaml": text}).systems.values()
        assert system == draft.read(), "the text says what was drafted"
    return draft.read(), text


def said(connector: SqlConnector, code: str) -> list[tuple[str, str]]:
    found = [*connector.check(), *connector.survey()]
    return [(finding.severity, str(finding)) for finding in found if finding.code == code]


HOSTILE = r"""
CREATE TABLE `user` (
  `select` uuid PRIMARY KEY, `E-Mail` varchar(80) NOT NULL UNIQUE CHECK (`E-Mail` LIKE '%@%'),
  vorname varchar(20) NOT NULL COMMENT 'user.name.first', nachname varchar(6) NOT NULL, geburtsdatum date NOT NULL,
  telefon varchar(30) NOT NULL CHECK (telefon <> ''), `group` uuid, photo mediumblob NOT NULL, pin binary(4),
  ort varchar(20) NOT NULL CHECK (length(ort) < 5 AND ort <> 'a\')b'), settings json NOT NULL,
  anrede enum('Frau', 'Herr', 'unknown') NOT NULL, geschlecht enum('m', 'w') NOT NULL, last_ip inet6 NOT NULL,
  mobil varchar(40) GENERATED ALWAYS AS (upper(telefon)) STORED, newsletter_consent boolean NOT NULL,
  FOREIGN KEY (`group`) REFERENCES `user` (`select`), CONSTRAINT latin CHECK (vorname <> nachname))
  DEFAULT CHARSET latin1 COMMENT 'who we deal with';
CREATE TABLE orders (
  tenant int, `no` int, user_id uuid NOT NULL, ordered_at datetime, PRIMARY KEY (tenant, `no`),
  FOREIGN KEY (user_id) REFERENCES `user` (`select`));
CREATE TABLE logins (id int PRIMARY KEY, user_id uuid, ip varchar(40)) WITH SYSTEM VERSIONING;
CREATE TABLE nokey (user_id uuid REFERENCES `user` (`select`), email varchar(80));
CREATE TABLE partly (id int PRIMARY KEY, email varchar(300), UNIQUE (email(20)));
CREATE SEQUENCE numbers;
CREATE VIEW everybody AS SELECT * FROM `user`;
"""


def test_a_hostile_database_gives_a_draft_without_an_error(server: MariaDBServer) -> None:
    made = ServerPlace(server, HOSTILE)
    system, text = drafted(made)

    assert set(system.collections) == {"user", "orders", "logins", "partly"}
    assert [(link.field, link.to, link.kind) for link in system.collections["orders"].links] == [
        ("user_id", "user.select", "unique")
    ]
    assert system.collections["logins"].key == ("id",), "the end of a row's time is no part of its key"
    assert "no foreign key says so" in text
    assert "points back to user itself" in text
    assert "no key tells its rows apart" in text
    assert "docs/mariadb.md" in text
    assert "numbers" not in text
    assert "everybody" not in text
    made.mapped(text.partition("\ncollections:\n")[2])
    findings = [*made.connector.check(), *made.connector.survey()]
    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
    made.close()


def test_strategies_respect_types_not_null_unique_check_and_length(server: MariaDBServer) -> None:
    made = ServerPlace(server, HOSTILE)
    system, text = drafted(made)
    user = system.collections["user"].fields

    assert system.collections["user"].erase is Erase.REDACT, "rows of nokey would block a deletion"
    assert user["E-Mail"].strategy is Strategy.RETAIN, "its CHECK wants an @, which not every anonymous value has"
    assert user["vorname"].category == "user.name.first", "its comment says so"
    assert user["nachname"].value == "erased"
    assert (user["geburtsdatum"].strategy, user["geburtsdatum"].to) == (Strategy.GENERALISE, "decade")
    assert user["telefon"].value == "erased"
    assert user["ort"].value == "", "the plainest word is too long for its CHECK"
    assert user["photo"].value == ""
    assert user["anrede"].value == "unknown"
    assert user["geschlecht"].strategy is Strategy.RETAIN, "no word of it says nothing"
    assert user["mobil"].category is None, "a generated column is not written"
    assert "a CHECK over several columns may refuse this" in text
    constants = {name: field.value for name, field in user.items() if field.strategy is Strategy.CONSTANT}
    made.run(
        "INSERT INTO `user` (`select`, `E-Mail`, vorname, nachname, geburtsdatum, telefon, photo, ort, settings, "
        "anrede, geschlecht, last_ip, newsletter_consent) "
        "VALUES (UUID(), 'a@b.de', 'A', 'B', '1980-02-03', '1', x'01', 'Ulm', '{}', 'Frau', 'w', '::1', 1)"
    )
    for name, value in constants.items():
        if name != "nachname":  # with the first name it would be refused, as the draft says
            made.rows(f"UPDATE `user` SET `{name}` = %s", int(value) if isinstance(value, bool) else value)
    made.close()


def test_a_role_that_may_only_select_sees_the_same_draft(server: MariaDBServer) -> None:
    made = ServerPlace(server, HOSTILE + SHOP.partition("CREATE TABLE orders")[0])
    url = made.account("reader", "SELECT ON {db}.*")

    assert drafted(made, url)[1] == drafted(made)[1]
    made.close()


def test_a_draft_says_nothing_of_the_rows_and_leaves_out_what_is_locked(server: MariaDBServer) -> None:
    create = """
    CREATE TABLE customers (id int PRIMARY KEY, email varchar(80) UNIQUE, field_7 varchar(40), field_8 longtext);
    INSERT INTO customers SELECT seq, CONCAT('quill', seq, '@canary.example'), 'DE89370400440532013000', 'x' FROM
    seq_1_to_40;
    """
    made = ServerPlace(server, create)

    system, text = drafted(made, sampling=True)

    assert system.collections["customers"].fields["field_7"].category == "user.financial.bank_account"
    assert "canary" not in text.lower()
    assert "DE89" not in text

    with made.server.door(made.name) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES customers WRITE")
        system, text = drafted(made, sampling=True)
    assert set(system.collections) == {"customers"}
    assert "its values look like IBANs" not in text
    made.close()


def test_a_database_that_fits_has_nothing_said_of_it(shop: ServerPlace) -> None:
    shop.run("DROP TABLE basket_lines", "DROP TABLE baskets", "DROP TABLE audit")

    assert [*shop.connector.check(), *shop.connector.survey()] == []


@pytest.mark.parametrize(
    ("spoil", "code", "severity", "part"),
    [
        (KEEP, "trigger_copies", "warning", "into audit, which is not in the map"),
        (KEEP.replace("OLD.note", "'x'"), "trigger_writes", "warning", "adds rows to audit"),
        (
            "CREATE TRIGGER t BEFORE DELETE ON customers FOR EACH ROW BEGIN "
            "UPDATE LOW_PRIORITY baskets b SET customer = 1; DELETE QUICK FROM `audit` WHERE id = 9; END",
            "trigger_writes",
            "warning",
            "changes baskets",
        ),
        (
            "CREATE TRIGGER t BEFORE DELETE ON customers FOR EACH ROW BEGIN "
            "UPDATE LOW_PRIORITY baskets b SET customer = 1; DELETE QUICK FROM `audit` WHERE id = 9; END",
            "trigger_writes",
            "warning",
            "deletes from `audit`",
        ),
        (
            "CREATE PROCEDURE p() DELETE FROM audit|CREATE TRIGGER t AFTER DELETE ON orders FOR EACH ROW CALL p()",
            "trigger_unknown",
            "warning",
            "calls a procedure",
        ),
        (
            "CREATE FUNCTION told() RETURNS int RETURN 1|"
            "CREATE TRIGGER t AFTER DELETE ON orders FOR EACH ROW SET @x = told()",
            "trigger_unknown",
            "warning",
            "calls told",
        ),
        ("SELECT 1", "reference_cascades", "error", "baskets points to customers"),
        ("CREATE TABLE people (id int, passport_number text)", "unreached", "warning", "passport_number"),
        ("ALTER TABLE customers ADD phone text", "unmapped_personal_column", "warning", "customers.phone"),
        ("ALTER TABLE orders ADD SYSTEM VERSIONING", "keeps_history", "warning", "DROP SYSTEM VERSIONING"),
        ("ALTER TABLE customers DROP KEY email", "no_index", "warning", "CREATE INDEX customers_email ON"),
        (
            "ALTER TABLE orders DROP FOREIGN KEY orders_ibfk_1|ALTER TABLE orders ENGINE = Aria",
            "not_undone",
            "error",
            "",
        ),
    ],
)
def test_what_would_outlive_or_surprise_an_erasure_is_said(
    shop: ServerPlace, spoil: str, code: str, severity: str, part: str
) -> None:
    shop.run(*spoil.split("|"))

    assert [worst for worst, text in said(shop.connector, code) if part in text] == [severity]


@pytest.mark.parametrize(
    "harmless",
    [
        "CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW INSERT INTO audit (was) VALUES ('old')",
        "CREATE TRIGGER t AFTER UPDATE ON customers FOR EACH ROW INSERT INTO audit (was) VALUES (OLD.name)",
        "CREATE TRIGGER t AFTER DELETE ON orders FOR EACH ROW SET @x = 'INSERT INTO audit VALUES (OLD.note)'",
        "CREATE TRIGGER t AFTER DELETE ON orders FOR EACH ROW SET @x = REPLACE (INSERT ('a', 1, 1, 'b'), 'b', 'c')",
        "CREATE TRIGGER t AFTER DELETE ON baskets FOR EACH ROW INSERT INTO audit (was) VALUES (OLD.id)",
    ],
    ids=["inserting", "updating where nothing is rewritten", "in a string", "functions", "of another table"],
)
def test_what_an_erasure_does_not_set_off_is_not_held_against_it(shop: ServerPlace, harmless: str) -> None:
    shop.run(harmless)

    assert [finding for finding in shop.connector.survey() if finding.code.startswith("trigger")] == []


def test_what_a_role_is_not_shown_is_never_called_absent(shop: ServerPlace) -> None:
    """A role sees no trigger and no table that it has no right on, and of a foreign key not what it does."""
    shop.run(KEEP)
    least = shop.connect(shop.account("least", *LEAST, "SELECT ON {db}.baskets"))
    ((severity, text),) = said(least, "limited_sight")
    assert severity == "warning"
    assert f"GRANT SELECT, TRIGGER ON {shop.name}.* TO 'least'@'%'" in text
    assert [worst for worst, text in said(least, "reference_cascades")] == ["error"], "not taken for one that blocks"
    least.close()

    all_but = shop.connect(shop.account("some", "SELECT ON {db}.*"))
    assert "has GRANT TRIGGER ON" in said(all_but, "limited_sight")[0][1]
    all_but.close()

    shop.run(text.rpartition("that has ")[2].replace("'least'@'%'", "some"))
    seeing = shop.connect(shop.account("seeing", "SELECT, TRIGGER ON {db}.*"))
    assert said(seeing, "limited_sight") == []
    assert len(said(seeing, "trigger_copies")) == 1
    seeing.close()


def test_rights_that_come_by_a_role_or_a_pattern_count(shop: ServerPlace) -> None:
    pattern = shop.name.replace("_", r"\_")
    shop.run("CREATE OR REPLACE ROLE seer", f"GRANT SELECT ON `{pattern}`.* TO seer", "GRANT TRIGGER ON *.* TO seer")
    url = shop.account("by_role")
    shop.run("GRANT seer TO by_role", "SET DEFAULT ROLE seer FOR by_role")
    connector = shop.connect(url)

    assert said(connector, "limited_sight") == []
    connector.close()


def test_what_would_be_done_is_told_by_table_and_nothing_is_changed(shop: ServerPlace) -> None:
    before, gate = shop.dump(), Gate()

    trial = shop.connector.attempt(shop.call(WHO, fence=gate))

    told = {e.table: (e.collection, e.inserted, e.updated, e.deleted, e.surprise) for e in trial.effects}
    assert told == {
        f"{shop.name}.customers": ("customers", 0, 0, 1, ""),
        f"{shop.name}.orders": ("orders", 0, 0, 4, ""),
    }
    assert (trial.refusal, trial.not_tried, trial.not_counted) == ("", "", ())
    assert trial.tally.of("orders").found == 4
    assert gate.passages == [], "a trial enters no fence"
    assert shop.dump() == before
    assert [text.split("`")[3] for text in trial.statements if text.startswith("DELETE")] == ["orders", "customers"]
    assert "person2" not in "".join(trial.statements)


def test_an_erasure_that_was_tried_can_still_be_carried_out(shop: ServerPlace) -> None:
    shop.connector.attempt(shop.call(WHO))

    shop.erase(WHO)

    assert shop.rows("SELECT count(*) FROM orders") == [(16,)]
    assert shop.connector.attempt(shop.call(WHO)).effects == ()


def test_cascades_and_triggers_are_counted_through_to_their_end_whatever_others_do(shop: ServerPlace) -> None:
    shop.run(
        KEEP,
        "CREATE TRIGGER again AFTER INSERT ON audit FOR EACH ROW "
        "UPDATE customers SET name = CONCAT(name, '!') WHERE id = 4 AND NEW.was LIKE 'was %'",
        "INSERT INTO baskets VALUES (1, 2), (2, 2), (3, 1)",
        "INSERT INTO basket_lines VALUES (1, 1), (2, 1), (3, 2), (4, 3)",
    )
    before = shop.dump()
    busy = threading.Event()

    def others() -> None:
        with shop.server.door(shop.name) as door, door.cursor() as cursor:
            while not busy.is_set():
                cursor.execute("INSERT INTO audit (was) VALUES ('of others')")

    thread = threading.Thread(target=others)
    thread.start()
    try:
        trial = shop.connector.attempt(shop.call(WHO))
    finally:
        busy.set()
        thread.join()

    surprises = [effect for effect in trial.effects if effect.surprise]
    told = {e.table.replace(f"{shop.name}.", ""): (e.inserted, e.updated, e.deleted) for e in surprises}
    assert told["audit"] == (4, 0, 0)
    assert told["baskets"] == (0, 0, 2)
    assert told["basket_lines"] == (0, 3, 0)
    assert sum(updated for _, updated, _ in told.values()) == 3 + 4
    shop.run("DELETE FROM audit WHERE was = 'of others'")
    assert shop.dump() == before


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (f"ALTER TABLE audit ENGINE = Aria|{KEEP}", "audit is kept by Aria, which undoes nothing"),
        (
            "CREATE TABLE far (id int) ENGINE = MyISAM|"
            f"{KEEP}|CREATE TRIGGER t AFTER INSERT ON audit FOR EACH ROW INSERT INTO far VALUES (1)",
            "far is kept by MyISAM",
        ),
        (f"CREATE PROCEDURE p() DELETE FROM audit|{KEEP.partition('INSERT')[0]} CALL p()", "calls a procedure"),
        (f"CREATE FUNCTION f() RETURNS int RETURN 1|{KEEP.partition('INSERT')[0]} SET @x = f()", "calls f"),
        (f"CREATE VIEW v AS SELECT * FROM audit|{KEEP.replace('audit', 'v')}", "v is no table"),
        ("ALTER DATABASE `{db}` COMMENT = ''", "environment mark"),
    ],
    ids=["engine", "engine behind a trigger's trigger", "procedure", "function", "view", "unmarked"],
)
def test_where_a_rollback_might_not_undo_it_nothing_is_tried(shop: ServerPlace, spoil: str, reason: str) -> None:
    shop.run(*(part.replace("{db}", shop.name) for part in spoil.split("|")))
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    assert reason in trial.not_tried
    assert (trial.effects, trial.tally.of("orders").found) == ((), 4)
    assert trial.statements
    assert shop.dump() == before


def test_where_triggers_may_be_hidden_nothing_is_tried(shop: ServerPlace) -> None:
    shop.run("ALTER TABLE audit ENGINE = Aria", KEEP)
    writer = shop.account("writer", "SELECT, UPDATE, DELETE ON {db}.customers", "SELECT, UPDATE, DELETE ON {db}.orders")
    before = shop.dump()
    least = shop.connect(shop.account("least", *LEAST), writer)

    assert "is not shown all tables and triggers" in least.attempt(shop.call(WHO)).not_tried
    assert shop.dump() == before
    least.close()

    shop.run("ALTER TABLE audit ENGINE = InnoDB", "INSERT INTO baskets VALUES (1, 2)")
    seeing = shop.connect(shop.account("seeing", "SELECT, TRIGGER ON {db}.*"), writer)
    trial = seeing.attempt(shop.call(WHO))
    assert trial.not_tried == ""
    assert [said.partition(" (")[0] for said in trial.not_counted] == [
        f"{shop.name}.{table}" for table in ("audit", "basket_lines", "baskets")
    ], "what the writer may not read cannot be counted, and that is said"
    (audit,) = [effect for effect in trial.effects if effect.table == f"{shop.name}.audit"]
    assert audit.inserted == 4, "what triggers do is counted by the server"
    seeing.close()


def test_a_foreign_key_that_refuses_speaks(shop: ServerPlace) -> None:
    shop.run("CREATE TABLE claims (customer bigint REFERENCES customers (id))", "INSERT INTO claims VALUES (2)")
    before = shop.dump()

    trial = shop.connector.attempt(shop.call(WHO))

    assert (trial.refusal, trial.refused_at) == ("blocked", "claims")
    assert trial.tally.of("orders").found == 4, "counts are told all the same"
    assert shop.dump() == before


def test_rows_that_somebody_else_holds_are_waited_for_briefly_and_the_trial_is_left_out(shop: ServerPlace) -> None:
    with shop.server.door(shop.name) as other, other.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("UPDATE customers SET name = 'Busy' WHERE id = 2")

        assert shop.connector.attempt(shop.call(WHO)).refusal == "busy"
        cursor.execute("ROLLBACK")


def test_a_trial_has_no_commit_and_tells_what_could_not_be_taken_back(shop: ServerPlace) -> None:
    shop.run("CREATE TABLE far (id int) ENGINE = MyISAM")
    database = reach(shop.url, "writer", Limits())
    assert isinstance(database, Database)

    with trying.trial(database, {}, Limits()) as session:
        session.cursor.execute("DELETE FROM orders")
        with pytest.raises(RuntimeError, match="a trial cannot commit"):
            session.commit()
    assert not session.stayed
    assert shop.rows("SELECT count(*) FROM orders") == [(20,)]

    with trying.trial(database, {}, Limits()) as session:
        session.cursor.execute("DELETE FROM orders")
        session.cursor.execute("INSERT INTO far VALUES (1)")
    assert session.stayed
    database.close()


def test_nothing_is_erased_where_the_server_would_keep_what_was_erased(shop: ServerPlace) -> None:
    """DELETE moves a row of a system-versioned table into its history, where no look goes."""
    shop.run("ALTER TABLE orders ADD SYSTEM VERSIONING")
    before = shop.dump()

    with pytest.raises(NeedsHuman, match="system-versioned") as caught:
        shop.erase(WHO)
    trial = shop.connector.attempt(shop.call(WHO))

    assert caught.value.code is Code.SCHEMA
    assert (trial.refusal, trial.refused_at) == (Code.SCHEMA, caught.value.about)
    assert shop.dump() == before
    assert shop.rows("SELECT count(*) FROM orders FOR SYSTEM_TIME ALL") == [(20,)]


def test_a_database_that_cannot_be_reached_is_told_in_the_contracts_words(server: MariaDBServer) -> None:
    with pytest.raises(Retryable):
        draft_from("mariadb://root:@127.0.0.1:1/nothing", system="shop", reader="env:SHOP")
    with pytest.raises(NeedsHuman) as caught:
        draft_from(f"mariadb://root:@127.0.0.1:{server.port}/nothing", system="shop", reader="env:SHOP")
    assert caught.value.code is Code.CREDENTIALS


_TYPES = [
    "text", "varchar(4)", "int", "date NOT NULL", "timestamp NULL", "json NOT NULL", "blob NOT NULL", "bool NOT NULL",
    "inet6 NOT NULL", "uuid NOT NULL", "varchar(80) NOT NULL UNIQUE", "int NOT NULL UNIQUE", "decimal(5,2) NOT NULL",
    "varchar(10) NOT NULL", "time NOT NULL", "char(3) NOT NULL", "enum('a', 'none') NOT NULL", "binary(4) NOT NULL",
    "year NOT NULL", "varchar(20) NOT NULL CHECK (length({0}) < 3)", "bit(3) NOT NULL", "set('a', 'b') NOT NULL",
]  # fmt: skip
_COLUMNS = ["email", "first_name", "phone", "birth_date", "street", "note", "ip", "photo", "salary", "secret", "gender"]
_TABLES = ["customers", "staff", "orders", "order_items", "comments", "logs", "addresses", "things"]


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """DDL of some tables that point to each other in whatever way."""
    names = draw(st.lists(st.sampled_from(_TABLES), min_size=1, max_size=5, unique=True))
    made, later = [], []
    for name in names:
        columns = draw(st.lists(st.sampled_from(_COLUMNS), max_size=5, unique=True))
        parts = [draw(st.sampled_from(["id int PRIMARY KEY", "id int PRIMARY KEY", "id int UNIQUE NOT NULL"]))]
        parts += [f"{column} {draw(st.sampled_from(_TYPES)).format(column)}" for column in columns]
        made.append(f"CREATE TABLE {name} ({', '.join(parts)})")
        for number, other in enumerate(draw(st.lists(st.sampled_from(names), max_size=3))):
            action = draw(st.sampled_from(["", " ON DELETE CASCADE", " ON DELETE SET NULL"]))
            key = f"FOREIGN KEY (ref_{number}) REFERENCES {other} (id){action}"
            later.append(f"ALTER TABLE {name} ADD ref_{number} int, ADD {key}")
    return ";\n".join(made + later)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(create=schemas())
def test_whatever_the_schema_the_draft_validates_and_has_no_error(server: MariaDBServer, create: str) -> None:
    made = ServerPlace(server, create)
    try:
        system, text = drafted(made)
        assert drafted(made)[1] == text
        if system.collections:
            made.mapped(text.partition("\ncollections:\n")[2])
            found = [*made.connector.check(), *made.connector.survey()]
            assert [finding for finding in found if finding.severity is Severity.ERROR] == []
    finally:
        made.close()
