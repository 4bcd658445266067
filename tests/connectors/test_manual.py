"""A system worked by hand asks a person for everything."""

import pytest

from connectors.conformance import Trial
from connectors.errors import NeedsHuman
from connectors.manual import build
from connectors.protocol import Erases, Exports
from rights.codes import Code
from rights.datamap import System
from tests.connectors.memory_bench import MemoryBench, system_of

CABINET = """
system: cabinet
owner: human resources
connector: manual
backups: none
collections:
  files:
    key: [number]
    fields: {number: {category: reference, identity: staff_number}}
    instructions: Look in the second drawer.
  visitors:
    key: [day]
    fields: {day: {}, name: {category: name, identity: name}}
    instructions: Blacken the line in the book.
"""


def test_every_step_becomes_a_task_that_names_the_collections() -> None:
    system = system_of(CABINET)
    connector = build(system, {})
    trial = Trial(MemoryBench(CABINET.replace("manual", "memory\noptions: {batch: 1}")))
    call = trial.call(trial.person())
    assert isinstance(connector, Exports)
    assert isinstance(connector, Erases)

    for step in (connector.locate, connector.export, connector.erase, connector.verify):
        with pytest.raises(NeedsHuman) as caught:
            step(call)
        assert (caught.value.code, caught.value.about) == (Code.MANUAL, "files, visitors")


def test_a_collection_without_instructions_is_refused() -> None:
    with pytest.raises(ValueError, match=r"collections\.visitors: write instructions"):
        build(system_of(CABINET.replace("    instructions: Blacken the line in the book.\n", "")), {})


@pytest.mark.parametrize(
    ("system", "secrets", "advice"),
    [
        (system_of(CABINET).model_copy(update={"options": {"url": "x"}}), {}, "'url' is unknown"),
        (system_of(CABINET), {"reader": "secret"}, "leave it out"),
    ],
)
def test_options_and_connections_are_refused(system: System, secrets: dict[str, str], advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        build(system, secrets)
