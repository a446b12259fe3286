"""The table of moves: every state is reachable and every way ends."""

from importer.states import CLAIMABLE, FINAL, MOVES, WORKING, State, sources


def test_every_state_has_its_row():
    assert set(MOVES) == set(State)


def test_every_state_but_the_first_is_reached_from_somewhere():
    assert all(sources(state) for state in State if state is not State.QUEUED)


def test_every_state_can_still_end():
    ending = set(FINAL)
    while more := {state for state in State if MOVES[state] & ending} - ending:
        ending |= more
    assert ending == set(State)


def test_a_dead_workers_import_can_be_queued_again_from_every_working_state():
    assert sources(State.QUEUED) >= WORKING
    assert not WORKING & CLAIMABLE
