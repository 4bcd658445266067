"""When the work of a run is to end."""

from workflows.run import Run


def test_what_is_learnt_while_it_is_looked_at_what_was_done_ends_no_look() -> None:
    run = Run()
    run.withdrawn = True
    assert run.stopped

    run.accounting, run.look_again = True, True

    assert not run.stopped
