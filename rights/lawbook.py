"""All the law that ships with the engine, and who reads each file of it.

The one rule: a file of law that nobody reads before the first request is one whose slip is found with a person waiting,
so each has its reader here, and a process that answers people reads them all when it starts.
"""

from collections.abc import Callable, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

from rights.authoritylaw import authority_law
from rights.clockwork import extensions
from rights.decision import law, limits
from rights.fees import fee_law
from rights.holdlaw import hold_law
from rights.identity import identity_law
from rights.incidentlaw import incident_law
from rights.letterlaw import letter_law
from rights.mandates import deceased_law
from rights.metrics import record_law
from rights.minors import minors_law
from rights.parents import parent_laws
from rights.recipients import transfers
from rights.recognition import recognition_law
from rights.regimes import SHIPPED, regime
from rights.restwords import rest_law
from rights.uses import uses_law
from rights.weighing import objections, reviews
from rights.withheld import every_item
from rights.yamlfile import FileError, FileErrors

READERS: Final[Mapping[str, Callable[[], object]]] = MappingProxyType(
    {
        "authorities.yaml": authority_law,
        "deceased.yaml": deceased_law,
        "extensions.yaml": extensions,
        "fees.yaml": fee_law,
        "grounds.yaml": law,
        "holds.yaml": hold_law,
        "identity.yaml": identity_law,
        "incidents.yaml": incident_law,
        "letters.yaml": letter_law,
        "limits.yaml": limits,
        "minors.yaml": minors_law,
        "objection.yaml": objections,
        "parents.yaml": parent_laws,
        "recognition.yaml": recognition_law,
        "records.yaml": record_law,
        "rest_openings.yaml": rest_law,
        "restriction_uses.yaml": uses_law,
        "review.yaml": reviews,
        "transfers.yaml": transfers,
        "withheld.yaml": every_item,
    }
)
"""What reads each file of `law/`, strictly, once per process."""


def topics() -> frozenset[str]:
    """The names of the files of `law/` that ship."""
    folder = resources.files("rights") / "law"
    return frozenset(file.name for file in folder.iterdir() if file.name.endswith(".yaml"))


def check_law() -> None:
    """Read every law that ships with the engine, so that a slip is known at the start and not at the first request.

    Raises:
        FileErrors: all that is wrong, each with file, line and path.
    """
    wrong: list[FileError] = []
    for name in sorted(topics() - READERS.keys()):
        wrong.append(FileError(name, 1, "", "nothing in the engine reads this file: take it out of rights/law"))
    for read in [lambda name=name: regime(name) for name in sorted(SHIPPED)] + list(READERS.values()):
        try:
            read()
        except FileErrors as errors:
            wrong.extend(errors.errors)
    if wrong:
        raise FileErrors(wrong)
