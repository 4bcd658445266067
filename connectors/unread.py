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


def refuse_derived(system: System) -> None:
    """For connectors that compare one field with one field, and follow links one way.

    Raises:
        ValueError: something is derived, or links lead back to where they came from.
    """
    for name, collection in system.collections.items():
        if collection.derived:
            raise ValueError(f"collections.{name}.derived: this connector does not read it: leave it out")
        if system.circular(name):
            raise ValueError(f"collections.{name}: links lead back to it, which this connector does not follow")
