"""What a data map may say and a connector does not read.

The one rule: it is refused when the connector is built; a key that silently does nothing would be believed.
"""

from rights.datamap import System


def refuse_yields(system: System) -> None:
    """For connectors that do not read `yields`: a link that is written down and not followed would miss people.

    Raises:
        ValueError: a field has it.
    """
    for name, collection in system.collections.items():
        for field, about in collection.fields.items():
            if about.yields:
                raise ValueError(
                    f"collections.{name}.fields.{field}: yields is not read by this connector yet: "
                    "where the collection names the person, write identity instead"
                )
