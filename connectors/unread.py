"""What a data map may say and a connector does not read.

The one rule: it is refused when the connector is built; a key that silently does nothing would be believed.
"""

from rights.datamap import System


def refuse_unread(system: System) -> None:
    """For connectors that read neither a collection's `options` nor a field's `yields`.

    Raises:
        ValueError: one of them is there: a link that is written down and not followed would miss people.
    """
    for name, collection in system.collections.items():
        if collection.options:
            raise ValueError(f"collections.{name}.options: '{min(collection.options)}' is unknown: there are none here")
        for field, about in collection.fields.items():
            if about.yields:
                raise ValueError(
                    f"collections.{name}.fields.{field}: yields is not read by this connector yet: "
                    "where the collection names the person, write identity instead"
                )
