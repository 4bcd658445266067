"""Courses: what carrying out each right comes to, as data. One life of a request reads them all.

The one rule: connectors hear of operations, never of rights; here, and nowhere else, a right becomes an operation.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rights.plan import Operation
from rights.request import Right
from rights.value import Value


class Course(Value):
    """What one right asks of the systems."""

    act: Operation | None
    """What is done in each system; None: nothing is, a person does it."""
    locates: bool = True
    """Whether the person is looked for first. Where not, every system is acted on that can be."""
    packages: bool = False
    """Whether a parcel is made of what was exported."""

    @property
    def destroys(self) -> bool:
        """Whether something of the person may be gone or written over afterwards, so that an operator who wants to see
        it first is asked."""
        return self.act in {Operation.ERASE, Operation.RECTIFY}


COURSES: Final[Mapping[Right, Course]] = MappingProxyType(
    {
        Right.ACCESS: Course(act=Operation.EXPORT, packages=True),
        Right.PORTABILITY: Course(act=Operation.EXPORT, packages=True),
        Right.ERASURE: Course(act=Operation.ERASE),
        Right.RESTRICTION: Course(act=Operation.RESTRICT),
        Right.RECTIFICATION: Course(act=Operation.RECTIFY),
        Right.OBJECTION: Course(act=Operation.SUPPRESS, locates=False),
        Right.OPT_OUT: Course(act=Operation.SUPPRESS, locates=False),
        Right.CONSENT_WITHDRAWAL: Course(act=Operation.SUPPRESS, locates=False),
        Right.DECISION_REVIEW: Course(act=None, locates=False),
    }
)
