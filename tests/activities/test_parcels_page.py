"""What the person reads: all that the law asks, and nothing that a stored value could do to the page."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from activities.facts import ParcelFacts, Part, SystemFacts
from activities.store import FileStore
from rights.deadlines import start_clock
from rights.mapfile import read_map
from rights.plan import Operation, Step
from rights.receipt import Outcome, Receipt
from rights.rectification import Disputed, Noted
from rights.regimes import regime
from tests.activities.parcel_samples import REQUEST, export, facts, lines, opened

VOID = {"meta", "br", "link", "img", "input"}


class Reading(HTMLParser):
    """Reads a page as a browser would: elements, links, texts, and whether everything is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, attribute: str) -> list[str]:
        return [value for name, value in self.attributes if name == attribute]


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "store")


def page(bag: Path) -> Reading:
    return Reading((bag / "data/index.html").read_text())


ORDERS = lines({"id": n, "note": f"note {n}"} for n in range(60))


def test_everything_article_15_asks_is_on_the_page(store: FileStore, tmp_path: Path) -> None:
    told = facts(controller="Example Shop Ltd", contact="privacy@example.org", authority="Example Authority")
    text = page(opened(store, tmp_path, [export("orders", ORDERS)], told)).text
    for asked in (
        "To deliver what you ordered",  # (1)(a)
        "contact, payment",  # (b)
        "parcel carriers",  # (c)
        "as long as you have an account",  # (d)
        "Have it corrected", "Have it erased", "Have its use restricted", "Object",  # (e)
        "Complain to a supervisory authority (Art. 77): Example Authority",  # (f)
        "the shop's app",  # (g)
        "Automated decisions",  # (h)
        "USA, standard contractual clauses",  # (2)
        "Contract, Art. 6(1)(b) GDPR", "fraud_score", "Example Shop Ltd", "privacy@example.org",
        "1 November 2026", "22 November 2026", "1 December 2026", REQUEST,
    ):  # fmt: skip
        assert asked in text


def test_REC_06_what_the_person_disputes_stands_with_the_data_in_every_copy(store: FileStore, tmp_path: Path) -> None:
    """APP 13.4: whoever reads the one reads the other, on the page and by a program."""
    noted = Noted(
        request_id=REQUEST,
        fields=tuple(Disputed(number=1, at=0, system=s, collection=c, field="note") for s, c in PLACES),
        statement="It was <never> like that. " * 200,
    )
    data_map = read_map({"shop.yaml": MAP})
    clock = start_clock(regime("eu-gdpr"), datetime(2026, 11, 1, tzinfo=UTC), "Europe/Berlin")
    step = Step(request_id=REQUEST, system="shop", operation=Operation.EXPORT)
    given = Receipt(step=step, outcome=Outcome.DONE, digest="0" * 64, size=1, at=datetime(2026, 11, 2, tzinfo=UTC))
    told = ParcelFacts.of(REQUEST, data_map, clock, {"shop": given}, disputes=[noted])

    bag = opened(store, tmp_path, [export("orders", ORDERS)], told)

    text = page(bag).text
    assert "You dispute, and it was not corrected note. Your statement: It was <never> like that." in text
    assert text.count("It was <never> like that.") == 200
    (shop,) = json.loads((bag / "data/about.json").read_text())["systems"]
    assert shop["collections"][0]["disputed"] == [{"fields": ["note"], "statement": noted.statement}]


PLACES = [("shop", "orders"), ("crm", "leads")]
MAP = """
system: shop
owner: commerce
connector: memory
backups: none
collections:
  orders: {key: [id], fields: {id: {}, note: {category: free_text}, email: {identity: email}}}
"""


def test_what_the_map_leaves_open_is_said_to_be_open(store: FileStore, tmp_path: Path) -> None:
    text = page(opened(store, tmp_path, [export("unknown", ORDERS)])).text
    assert "Not stated here what for, kinds of data, legal basis, who receives it, how long it is kept" in text


def test_the_first_fifty_rows_are_shown_and_the_rest_is_pointed_to(store: FileStore, tmp_path: Path) -> None:
    reading = page(opened(store, tmp_path, [export("orders", ORDERS)]))
    assert reading.cells[:2] == ["0", "note 0"]
    assert reading.cells[-1] == "note 49"
    assert "These are the first 50 of 60 rows." in reading.text
    assert "All 60 rows in full: orders.csv" in reading.text


def test_one_row_reads_as_a_list_of_values(store: FileStore, tmp_path: Path) -> None:
    bag = opened(store, tmp_path, [export("customers", lines([{"name": "Anna Berg", "vip": False, "left": None}]))])
    reading = page(bag)
    assert "row" in reading.all("scope")
    assert reading.cells == ["Anna Berg", "false", "–"]


def test_every_link_leads_somewhere_inside(store: FileStore, tmp_path: Path) -> None:
    bag = opened(store, tmp_path, [export("orders$x.y", ORDERS), export("customers", lines([{"a": 1}]))])
    reading = page(bag)
    links = reading.all("href")
    assert len(links) > 6
    for link in links:
        if link.startswith("#"):
            assert link[1:] in reading.all("id")
        else:
            assert (bag / "data" / unquote(link)).is_file()
    for label in reading.all("aria-labelledby"):
        assert label in reading.all("id")
    assert len(set(reading.all("id"))) == len(reading.all("id"))


def test_the_page_needs_nothing_from_outside_and_runs_nothing(store: FileStore, tmp_path: Path) -> None:
    bag = opened(store, tmp_path, [export("orders", ORDERS)])
    reading, text = page(bag), (bag / "data/index.html").read_text()
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base", "svg"} & set(reading.tags)
    assert not [name for name, _ in reading.attributes if name.startswith("on") or name in {"src", "style"}]
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    [policy] = [value for value in reading.all("content") if "default-src" in value]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "width=device-width" in text


HOSTILE = (
    "<script>document.title='taken'</script>",
    "</td></tr></table></style></body><h1>taken</h1>",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "<!-- --><![CDATA[",
    "&lt;b&gt; &#60;script&#62; &amp",
    "javascript:alert(1)",
    "$style ${system} %s {0}",
    "\u202egnp.tac\u202c \u2066x\u2069",
    "\x00\x1b[31m\x07\x9b",
    "مرحبا بالعالم",
    "Z̷̢͎͌a̶l̴g̵o",
    "x" * 100_000,
    "\n" * 500 + "end",
)


def test_a_hostile_value_is_shown_and_does_nothing(store: FileStore, tmp_path: Path) -> None:
    body = lines({value: "as a name", "value": value, "inside": [value]} for value in HOSTILE)
    plain = page(opened(store, tmp_path, [export("orders", lines([{"a": 1}] * 14))]))
    bag = opened(store, tmp_path, [export("orders", body)], facts(contact=HOSTILE[0], controller=HOSTILE[1]))
    reading = page(bag)
    assert set(reading.tags) == set(plain.tags)
    assert reading.tags.count("style") == reading.tags.count("h1") == 1
    assert {name for name, _ in reading.attributes} == {name for name, _ in plain.attributes}
    for value in HOSTILE[:8]:
        assert value in reading.cells
    text = (bag / "data/index.html").read_text()
    assert not set(text) & set("\u202e\u202c\u2066\u2069\x00\x1b\x07\x9b")
    assert "مرحبا بالعالم" in reading.cells
    assert "x" * 201 not in text
    assert "Texts are cut after 200 characters." in reading.text
    assert max(map(len, reading.cells)) <= 201


def test_a_table_of_endless_width_or_weight_stays_a_page(store: FileStore, tmp_path: Path) -> None:
    wide = lines([{f"c{n}": "x" * 300 for n in range(1000)}] * 50)
    bag = opened(store, tmp_path, [export("wide", wide)])
    assert (bag / "data/index.html").stat().st_size < 400_000
    text = page(bag).text
    assert "Columns after the first 60 are left out." in text
    assert "of 50 rows." in text


def test_systems_without_data_and_systems_left_out_are_named_apart(store: FileStore, tmp_path: Path) -> None:
    told = facts(
        systems=(
            *facts().systems,
            SystemFacts(system="crm", part=Part.OUTSTANDING),
            SystemFacts(system="warehouse", part=Part.NOTHING_HELD),
        )
    )
    bag = opened(store, tmp_path, [export("orders", ORDERS), export("sessions", b"")], told)
    text = page(bag).text
    assert "Not everything is in this copy. It has nothing from: crm." in text
    assert "Also looked at, and nothing about you found: warehouse, shop: sessions." in text
    assert "60 rows in 1 table from 1 system." in text
    assert "NOT IN THIS COPY" in (bag / "data/README.txt").read_text()


def test_a_whole_parcel_says_nothing_of_missing_parts(store: FileStore, tmp_path: Path) -> None:
    bag = opened(store, tmp_path, [export("orders", ORDERS)])
    assert "Not everything" not in page(bag).text
    assert "NOT IN THIS COPY" not in (bag / "data/README.txt").read_text()


def test_the_readme_names_every_file_and_the_apostrophe(store: FileStore, tmp_path: Path) -> None:
    bag = opened(store, tmp_path, [export("orders", ORDERS), export("notes", b"")])
    text = (bag / "data/README.txt").read_text()
    for file in (bag / "data").rglob("*"):
        if file.is_file() and file.name != "README.txt":
            assert str(file.relative_to(bag / "data")) in text
    assert "apostrophe" in text


def test_about_json_holds_statements_and_counts_and_no_row(store: FileStore, tmp_path: Path) -> None:
    bag = opened(store, tmp_path, [export("orders", lines([{"id": 1, "note": "canary"}]))])
    text = (bag / "data/about.json").read_text()
    assert "canary" not in text
    about = json.loads(text)
    [shop] = about["systems"]
    [orders] = shop["collections"]
    assert (about["map_digest"], about["received"], about["due"]) == ("ab" * 32, "2026-11-01", "2026-12-01")
    assert about["prepared"] == "2026-11-22T10:30:00+01:00"
    assert "apostrophe" in about["csv"]
    assert (shop["part"], shop["rows"], orders["rows"]) == ("given", 1, 1)
    for name in ("purpose", "categories", "lawful_basis", "recipients", "storage", "source", "transfers"):
        assert orders[name]
    listed = {file["path"]: (file["bytes"], file["sha256"]) for file in orders["files"]}
    manifest = {line[66:]: line[:64] for line in (bag / "manifest-sha256.txt").read_text().splitlines()}
    assert listed == {
        f"data/shop/orders.{ending}": (
            (bag / f"data/shop/orders.{ending}").stat().st_size,
            manifest[f"data/shop/orders.{ending}"],
        )
        for ending in ("csv", "jsonl")
    }


THE_MAP = read_map(
    {
        "shop.yaml": """
system: shop
owner: team-shop
connector: memory
description: The web shop
collections:
  customers:
    key: [id]
    purpose: to run your account
    lawful_basis: contract
    recipients: [mail provider]
    storage: as long as the account exists
    fields:
      id: {}
      email: {category: contact, identity: email, strategy: anonymise}
      birth_date: {category: profile, strategy: anonymise}
      password_hash: {category: credential, export: false, strategy: anonymise}
  invoices:
    key: [id]
    links: [{field: customer_id, to: customers.id}]
    fields:
      id: {}
      customer_id: {}
      issued: {}
    retention:
      - {ground: tax law, after: issued, period: P10Y, from: end_of_year, regimes: [eu-gdpr]}
      - {ground: another country's law, after: issued, period: P1Y6M, regimes: [elsewhere]}
      - {ground: warranty, after: issued, period: P1Y6M1D}
"""
    }
)


def receipt(operation: Operation, outcome: Outcome) -> Receipt:
    step = Step(request_id=REQUEST, system="shop", operation=operation)
    return Receipt(step=step, outcome=outcome, at=datetime(2026, 11, 22, tzinfo=UTC))


def gathered(*receipts: Receipt) -> ParcelFacts:
    # 23:30 UTC is the next day in Berlin: dates are the person's, not the server's.
    clock = start_clock(regime("eu-gdpr"), datetime(2026, 10, 31, 23, 30, tzinfo=UTC), "Europe/Berlin")
    return ParcelFacts.of(REQUEST, THE_MAP, clock, {r.step.system: r for r in receipts})


def test_facts_are_those_of_map_and_clock() -> None:
    found = gathered(receipt(Operation.EXPORT, Outcome.DONE))
    assert (found.received.isoformat(), found.due.isoformat()) == ("2026-11-01", "2026-12-01")
    assert found.map_digest == THE_MAP.digest
    shop = found.system("shop")
    assert shop.part is Part.GIVEN
    customers, invoices = shop.of("customers"), shop.of("invoices")
    assert customers.categories == ("contact", "credential", "profile")
    assert customers.fields == ("id", "email", "birth_date")
    assert customers.left_out == ("password_hash",)
    assert invoices.storage == (
        "at least 10 years from the end of the year of issued: tax law",
        # A regime the engine does not know is taken to bind, as it is when rows are erased.
        "at least 1 year and 6 months from issued: another country's law",
        "at least 1 year and 6 months and 1 day from issued: warranty",
    )


def test_facts_name_what_the_map_leaves_open() -> None:
    assert gathered().unstated == (
        "shop.invoices: purpose",
        "shop.invoices: categories",
        "shop.invoices: lawful_basis",
        "shop.invoices: recipients",
    )


@pytest.mark.parametrize(
    ("receipts", "part"),
    [
        ([], Part.OUTSTANDING),
        ([receipt(Operation.LOCATE, Outcome.DONE)], Part.OUTSTANDING),
        ([receipt(Operation.LOCATE, Outcome.NEEDS_HUMAN)], Part.OUTSTANDING),
        ([receipt(Operation.LOCATE, Outcome.NOTHING_HELD)], Part.NOTHING_HELD),
        ([receipt(Operation.EXPORT, Outcome.DONE)], Part.GIVEN),
        ([receipt(Operation.EXPORT, Outcome.UNSUPPORTED)], Part.OUTSTANDING),
        ([receipt(Operation.EXPORT, Outcome.NEEDS_HUMAN)], Part.OUTSTANDING),
    ],
)
def test_only_a_settled_export_counts_as_given(receipts: list[Receipt], part: Part) -> None:
    assert gathered(*receipts).system("shop").part is part
