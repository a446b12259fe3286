"""The picture of states in docs/architecture.md shows exactly the moves of importer/states.py."""

import re
from pathlib import Path

from importer.states import MOVES, WORKING, State

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "architecture.md"
FRAME = "working"


def picture() -> str:
    [drawn] = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return str(drawn)


def arrows() -> list[tuple[str, str]]:
    return [(begin, end) for begin, end in re.findall(r"^ *(\S+) --> (\S+)$", picture(), re.MULTILINE) if begin != "[*]"]


def in_the_frame() -> set[str]:
    [inside] = re.findall(rf"as {FRAME} \{{\n(.*?)\n    \}}", picture(), re.DOTALL)
    return set(re.findall(r"as (\w+)$", inside, re.MULTILINE))


def test_every_state_is_drawn_with_the_word_of_the_page() -> None:
    drawn = dict(re.findall(r'state "([^"]+)" as (\w+)$', picture(), re.MULTILINE))
    assert {name: word for word, name in drawn.items()} == {state.value: state.label for state in State}


def test_the_frame_holds_the_states_in_which_a_worker_has_the_import() -> None:
    assert in_the_frame() == {state.value for state in WORKING}


def test_the_arrows_are_the_moves() -> None:
    frame = in_the_frame()
    drawn = [
        (one, other)
        for begin, end in arrows()
        for one in (frame if begin == FRAME else {begin})
        for other in (frame if end == FRAME else {end})
    ]
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {(begin.value, end.value) for begin, ends in MOVES.items() for end in ends}
