"""What a connector does not read is refused when a system is set up."""

import pytest

from connectors.registry import SetupError, build
from rights.mapfile import read_map

MAP = """
system: box
owner: o
connector: {connector}
backups: none
connection: {connection}
collections:
  messages:
    key: [id]
    instructions: look there
    fields: {{id: {{}}, mail: {{identity: email}}, reply_to: {{}}}}
    {more}
"""
DERIVED = "derived: {inner: {of: reply_to, path: $.a}}"
BACK = "links: [{field: reply_to, to: messages.id}]"


@pytest.mark.parametrize(
    ("more", "said"), [(DERIVED, "messages.derived: the connector"), (BACK, "links lead back to it")]
)
def test_a_link_that_would_not_be_followed_is_refused(more: str, said: str) -> None:
    (system,) = read_map({"m.yaml": MAP.format(connector="manual", connection="{}", more=more)}).systems.values()

    with pytest.raises(SetupError, match=said):
        build(system)


@pytest.mark.parametrize("more", [DERIVED, BACK])
def test_who_follows_it_is_asked_to(more: str) -> None:
    text = MAP.format(connector="memory", connection="{}", more=more)
    (system,) = read_map({"m.yaml": text}).systems.values()

    assert build(system)
