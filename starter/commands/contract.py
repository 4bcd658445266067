"""`habeas recipient end` and `ended`: everything is erased or given back once a processor's contract is over.

The one rule: the letter has nobody's data in it, and it counts as done only once it is confirmed.
"""

from typing import Annotated, get_args

import typer

from starter.commands.lettering import FormOption, LanguageOption, put
from starter.commands.options import By, Json, On, Out, WithProcessors
from starter.commands.recipient import recipients
from starter.exits import Exit, Failure

Whose = Annotated[str, typer.Argument(metavar="RECIPIENT", help="Its name in the register.", show_default=False)]


@recipients.command()
def end(
    recipient: Whose,
    choice: Annotated[
        str,
        typer.Argument(metavar="CHOICE", help="erase, or return: given back, and then erased.", show_default=False),
    ],
    by: By,
    language: LanguageOption = None,
    form: FormOption = "text",
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Ask a processor for all data at the end of its contract (GDPR Art. 28(3)(g)), and print the letter that does.

    It sends nothing: the letter is yours to send. The answer is awaited (habeas recipient check) until it is entered.
    Asked again, it prints the same letter.

    Example: habeas recipient end mailchimp erase --by 'privacy desk'
    """
    from ledger.contracts import Choice
    from rights.reckoning import local_day
    from starter.contracts import ask_for_all, letter_of
    from starter.desk import desk, now
    from starter.inputs import role
    from starter.letterpress import language_of, written

    chosen = next((one for one in get_args(Choice) if one == choice), None)
    if chosen is None:
        raise Failure(Exit.USAGE, "CHOICE is one of erase, return")
    with desk() as at:
        moment = now()
        day, office = local_day(moment, at.zone), at.settings.office
        ended = ask_for_all(at.ledger, at.register, recipient, chosen, day=day, at=moment, by=role(by, "--by"))
        spoken = language_of(language) if language else office.language
        facts = letter_of(ended, at.register.recipients[recipient], at.settings.regime, written_on=day, language=spoken)
    put(written(facts, office), form, out, as_json=as_json)


@recipients.command()
def ended(
    recipient: Whose,
    answer: Annotated[
        str,
        typer.Argument(metavar="ANSWER", help="confirmed, confirmed_alone, refused or no_answer.", show_default=False),
    ],
    by: By,
    on: On = None,
    with_processors: WithProcessors = False,
    with_proof: Annotated[bool, typer.Option("--with-proof", help="It has given the proof that it owes.")] = False,
    as_json: Json = False,
) -> None:
    """Enter what a processor has answered at the end of its contract.

    Only confirmed settles it; where it owes more than its word, with what it owes.

    Example: habeas recipient ended mailchimp confirmed --by 'privacy desk' --on 2026-12-04
    """
    from ledger.contracts import ANSWERS
    from ledger.notices import Answer
    from rights.reckoning import local_day
    from starter.desk import desk, now
    from starter.inputs import maybe_day, role
    from starter.show import Cell, Page
    from starter.show import answer as said

    if answer not in set(ANSWERS):
        raise Failure(Exit.USAGE, f"ANSWER is one of {', '.join(ANSWERS)}")
    day = maybe_day(on, "--on")
    with desk() as at:
        at.ledger.contract_answered(
            recipient,
            Answer(answer),
            on=day or local_day(now(), at.zone),
            at=now(),
            by=role(by, "--by"),
            of_processors=with_processors,
            with_proof=with_proof,
        )
    said({"answer": answer}, Page().line(Cell(f"at the end of its contract: {answer}", "good")), as_json=as_json)
