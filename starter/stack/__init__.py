"""The real servers behind `habeas dev`, `habeas demo` and the tests: PostgreSQL, Temporal, mail, objects,
a fake of vendors and one of an OpenID provider.

All come from the `dev` extra, listen on loopback alone, fetch nothing and report to nobody. The
one rule: what is started here is ended here. No process is signalled but those started here, and
none of them outlives the process that started it, however that process ends.
"""

from starter.stack.child import HOST, StackError
from starter.stack.mail import Mail
from starter.stack.objects import Account, Objects
from starter.stack.people import People
from starter.stack.place import state_dir
from starter.stack.ports import free_port
from starter.stack.postgres import Postgres
from starter.stack.temporal import Temporal
from starter.stack.vendors import Vendors

__all__ = [
    "HOST",
    "Account",
    "Mail",
    "Objects",
    "People",
    "Postgres",
    "StackError",
    "Temporal",
    "Vendors",
    "free_port",
    "state_dir",
]
