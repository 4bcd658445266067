"""What a change of maps is said to change."""

from rights.advice import advice
from rights.datamap import DataMap
from rights.mapdiff import Effect, diff
from rights.mapfile import read_map

OLD = """
system: shop
owner: commerce
connector: sql
backups: none
collections:
  customers:
    key: [id]
    fields:
      id: {}
      email: {identity: email, category: contact, strategy: anonymise}
      name: {category: contact, strategy: constant, value: erased}
  orders:
    key: [id]
    links: [{field: customer, to: customers.id}]
    fields: {id: {}, customer: {}, note: {category: notes, strategy: null}, placed: {}}
"""


def read(text: str) -> DataMap:
    return read_map({"shop.yaml": text})


def said(new: str, old: str = OLD) -> set[tuple[str, bool, str, str, str]]:
    return {(c.effect, c.newly, c.collection, c.field, c.text) for c in diff(read(old), read(new))}


def test_maps_that_do_the_same_do_not_differ() -> None:
    same = OLD.replace("owner: commerce", "owner: somebody-else  # another comment").replace(
        "fields: {id: {}, customer: {}, ", "fields: {customer: {}, id: {}, "
    )

    assert diff(read(OLD), read(same)) == ()


def test_a_duty_and_what_it_leaves_out() -> None:
    duty = "retention: [{ground: tax law, after: placed, period: P10Y, from: end_of_year, minimise: [note]}]"
    new = OLD.replace("    links: [{field: customer", f"    {duty}\n    links: [{{field: customer")

    text = "kept: tax law, P10Y after placed and the end of its year, but for note"
    assert said(new) == {(Effect.KEPT, True, "orders", "", f"rows are {text}")}
    assert said(OLD, new) == {(Effect.KEPT, False, "orders", "", f"rows are no longer {text}")}


def test_what_is_erased_otherwise() -> None:
    new = OLD.replace("    key: [id]\n    fields:\n", "    key: [id]\n    erase: redact\n    fields:\n").replace(
        "strategy: constant, value: erased", "strategy: retain, ground: fraud"
    )

    changes = said(new)

    rows = "rows stay and their fields are rewritten, where before rows are deleted"
    assert (Effect.KEPT, True, "customers", "", rows) in changes
    kept = "it is kept in the row that stays (fraud), where before it is overwritten by 'erased' where a row stays"
    assert (Effect.KEPT, True, "customers", "name", kept) in changes


def test_what_is_found_and_given_out() -> None:
    new = OLD.replace("name: {category: contact,", "name: {category: contact, export: false,").replace(
        "email: {identity: email,", "email: {identity: email, sharing: shared,"
    )

    assert said(new) == {
        (Effect.EXPORTED, False, "customers", "name", "it is no longer given out"),
        (Effect.FOUND, True, "customers", "", "rows are found by email in email (shared, any case)"),
        (Effect.FOUND, False, "customers", "", "rows are no longer found by email in email (unique, any case)"),
    }


def test_a_collection_that_comes_and_a_system_that_goes() -> None:
    new = (
        f"{OLD}  baskets:\n    key: [id]\n    links: [{{field: customer, to: customers.id}}]\n"
        "    fields: {id: {}, customer: {}}\n"
    )

    assert said(new) == {
        (Effect.FOUND, True, "baskets", "", "its rows are found"),
        (Effect.ERASED, True, "baskets", "", "rows are deleted"),
        (Effect.EXPORTED, True, "baskets", "", "customer, id are given out"),
    }
    gone = diff(read_map({"a": OLD, "b": OLD.replace("system: shop", "system: copy")}), read(OLD))
    assert all(not change.newly and change.system == "copy" for change in gone)


def test_the_mode_is_what_lets_anything_be_erased() -> None:
    (change,) = diff(read(OLD), read(OLD.replace("connector: sql", "connector: sql\nmode: auto")))

    assert (change.effect, change.newly) == (Effect.ERASED, True)


def test_how_long_erased_rows_live_on_is_a_change() -> None:
    def told(backups: str) -> str:
        (change,) = diff(read(OLD), read(OLD.replace("backups: none", f"backups: {backups}")))
        assert (change.effect, change.newly) == (Effect.OTHER, True)
        return change.text

    assert told("{max_age: P35D, beyond_use: locked}") == "erased rows live on P35D in backups; until then: locked"
    assert told("{max_age: unknown, beyond_use: locked}").startswith("erased rows live on an unknown time in backups")


def test_advice_on_what_stays_beside_a_pseudonym() -> None:
    keyed = OLD.replace("    key: [id]\n    fields:\n", "    key: [id]\n    erase: redact\n    fields:\n").replace(
        "strategy: anonymise", "strategy: pseudonym"
    )
    told = keyed.replace("strategy: constant, value: erased", "strategy: retain, ground: fraud")

    assert [a.code for a in advice(read(OLD))] == []
    assert [a.code for a in advice(read(keyed))] == []
    (found,) = advice(read(told))
    assert (found.code, "name" in found.what) == ("pseudonym_leaves", True)
