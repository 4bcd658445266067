"""All files of law have a reader, and all are read at a start."""

from importlib import resources

from rights.lawbook import READERS, check_law, topics


def test_every_file_of_law_that_ships_has_a_reader() -> None:
    there = {file.name for file in (resources.files("rights") / "law").iterdir() if file.name.endswith(".yaml")}

    assert there
    assert set(READERS) == there == topics()


def test_what_ships_can_be_read() -> None:
    check_law()
