"""What a data map may say and a connector does not read.

The one rule: it is refused when the connector is built; a key that silently does nothing would be believed.
"""

from rights.datamap import System


def refuse_options(system: System) -> None:
    """For connectors that read no `options` of a collection.

    Raises:
        ValueError: one is there.
    """
    for name, collection in system.collections.items():
        if collection.options:
            raise ValueError(f"collections.{name}.options: '{min(collection.options)}' is unknown: there are none here")
