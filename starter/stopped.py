"""What the answer says of an objection, an opt-out, a withdrawn consent or a review, before any system is named.

The one rule: it confirms what is so now, from the journal; and of what is held it tells nobody who is not proven.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.standing import Standing
from rights.request import Conclusion, Right
from rights.weighing import Outcome

_USES: Final[Mapping[str, str]] = {
    "marketing": "marketing",
    "marketing_profiling": "profiling for marketing",
    "profiling": "profiling",
    "analytics": "analytics",
    "sale": "sale",
    "sharing": "sharing for advertising across contexts",
    "targeted_advertising": "targeted advertising",
    "sensitive": "more than our service needs, where it is sensitive",
    "legitimate_interest": "what you objected to",
    "research": "research",
    "public_task": "what you objected to",
    "consent": "what you had consented to",
}
_REVIEWED: Final = {
    Outcome.UPHELD: "Somebody has looked at the decision again, and it stands; the letter says why.",
    Outcome.CHANGED: "Somebody has looked at the decision again and changed it; the letter says how.",
    Outcome.ANNULLED: "Somebody has looked at the decision again, and it no longer stands.",
}


def stopped_lines(standing: Standing) -> Iterator[str]:
    """The lines; none for other rights."""
    row = standing.request
    said: dict[str, Mapping[str, Any]] = {event.kind: event.body for event in standing.events}
    if row.conclusion is Conclusion.WITHDRAWN:
        return
    if row.right is Right.DECISION_REVIEW and "weighed" in said:
        yield _REVIEWED[Outcome(said["weighed"]["outcome"])]
    if row.conclusion is Conclusion.REFUSED and "weighed" in said:
        yield "We have weighed your objection, and our grounds outweigh it; the letter says which, and why."
    if scopes := _scopes(standing):
        uses = ", ".join(dict.fromkeys(_USES.get(scope, scope) for scope in scopes))
        if row.right is Right.OPT_OUT:
            # 11 CCR 7025(c)(6), 7026(g): the status is confirmed.
            yield f"Opt-out request honored: you are opted out. Your data is no longer used for {uses}."
        else:
            yield f"Your data is no longer used for {uses}."
        if row.conclusion is Conclusion.IN_PART:
            yield "It could not be stopped everywhere yet."
    if row.right is Right.CONSENT_WITHDRAWAL:
        yield "What was done on your consent before it was withdrawn stays lawful."
        yield "Nothing was erased by this: you may ask for it to be erased as well."


def _scopes(standing: Standing) -> list[str]:
    """What is suppressed: by this request, or by an earlier one that it found in force."""
    bodies = [event.body["scopes"] for event in standing.events if event.kind in {"suppressed", "still_suppressed"}]
    return sorted({scope for scopes in bodies for scope in scopes})
