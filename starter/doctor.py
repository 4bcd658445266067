"""`habeas doctor`: whether a live installation is well, one line each, with what to do.

The one rule: it may be run at any time, by anybody who may run `habeas`: nothing is changed, and nothing of a person is
asked for. It looks at all that `habeas config check` looks at, and then asks everything that runs.
"""

from starter.checks import Check
from starter.checkup import OPENS, check_all


def examine() -> list[Check]:
    """Look at everything, in the order in which things build on each other; what cannot be asked has its line."""
    from settings import SettingsError
    from starter.desk import load_settings

    found = check_all(live=True)
    try:
        settings = load_settings()
    except SettingsError:
        return found
    well = {check.name for check in found if check.ok}
    if well >= OPENS:
        from starter.ledgerchecks import ledger_checks

        found += ledger_checks(settings)
        if "temporal" in well:
            from starter.temporalchecks import temporal_checks

            found += temporal_checks(settings)
    return found
