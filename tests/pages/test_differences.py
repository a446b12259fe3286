"""Differences of texts: nothing invented, nothing lost, quick for any text."""

import random
import time

import pytest

from pages.differences import Piece, differences


def sides(pieces: list[Piece]) -> tuple[str, str]:
    before = "".join(piece.text for piece in pieces if piece.kind != "new")
    after = "".join(piece.text for piece in pieces if piece.kind != "old")
    return before, after


def test_changed_words_stand_among_those_that_stayed() -> None:
    assert differences("It is round and big. It is old.", "It is round and small. It is old. New!") == [
        Piece("same", "It is round and "),
        Piece("old", "big"),
        Piece("new", "small"),
        Piece("same", ". It is old."),
        Piece("new", " New!"),
    ]


def test_sentence_that_has_little_in_common_is_replaced_as_a_whole() -> None:
    assert differences("Wide and steady. Red.", "Made of the finest oak there is. Red.") == [
        Piece("old", "Wide and steady"),
        Piece("new", "Made of the finest oak there is"),
        Piece("same", ". Red."),
    ]


def test_long_stretches_that_are_the_same_are_left_out() -> None:
    same = "It stays as it was before. " * 40
    found = differences(f"One. {same}Middle. {same}End", f"Two. {same}Center. {same}End")
    assert [piece.kind for piece in found] == ["old", "new", "same", "old", "new", "same"]
    assert all(len(piece.text) < 130 for piece in found)
    assert found[2].text.startswith(". It stays") and " … " in found[2].text
    assert found[-1].text.endswith(" … ")


def test_text_that_was_rewritten_is_cut() -> None:
    found = differences("a" * 50_000, "b" * 50_000)
    assert found == [Piece("old", "a" * 300 + "…"), Piece("new", "b" * 300 + "…")]


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("", "x"), ("x", ""), ("x", "x"), ("a\nb", "a\r\nb"), ("😀 a", "😀 b")]
)
def test_small_texts_are_told_whole(before: str, after: str) -> None:
    assert sides(differences(before, after)) == (before, after)


def test_any_two_short_texts_are_told_whole() -> None:
    chance = random.Random(7)
    marks = ["a", "b", " ", ".", "\n", "é", "!"]
    for _ in range(500):
        before, after = ("".join(chance.choices(marks, k=chance.randrange(30))) for _ in range(2))
        assert sides(differences(before, after)) == (before, after)


@pytest.mark.parametrize(
    ("before", "after"), [("aa. " * 119, "aa. bb. " * 60), ("a " * 25_000, "b a " * 12_500), (". " * 25_000, "! " * 25_000)]
)
def test_texts_that_repeat_themselves_cost_little(before: str, after: str) -> None:
    began = time.perf_counter()
    differences(before, after)
    # Minutes, where the cost grows with the square.
    assert time.perf_counter() - began < 10
