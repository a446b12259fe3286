"""Keys and cleaners."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importer.values import BadValue, Flag, Moment, Text, fold, quote, storable


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ABC-1", "abc-1 "),
        ("\u00c9T\u00c9", "e\u0301te\u0301"),
        ("STRASSE", "straße"),
        ("\ufeffA1", "a1"),
        ("A\u200b1", "a1"),
        ("\u00a0x\u3000", "X"),
    ],
)
def test_keys_are_the_same(one, other):
    assert fold(one) == fold(other)


@given(st.text())
def test_folding_twice_changes_nothing_and_fits_three_times_the_length(text):
    key = fold(text)
    assert fold(key) == key
    assert len(key) <= 3 * len(text)


@given(st.lists(st.text(max_size=8), max_size=6))
def test_a_column_at_once_is_cleaned_like_its_cells(texts):
    clean = Text("SKU", 5, required=True, trim=True)
    try:
        one_by_one = [clean(text) for text in texts]
    except BadValue:
        with pytest.raises(BadValue):
            clean.many(texts)
    else:
        assert list(clean.many(texts)) == one_by_one


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("  ", "The SKU is empty."),
        ("abcdef", "The SKU is 6 characters long, 5 are allowed: “abcdef”."),
        ("a\0b", "The SKU holds a NUL byte, which no database text can hold: “a·b”."),
        ("\udce9a", "The SKU is not UTF-8 text: “?a”."),
    ],
)
def test_a_bad_cell_gets_a_sentence(text, sentence):
    with pytest.raises(BadValue) as problem:
        Text("SKU", 5, required=True, trim=True)(text)
    assert str(problem.value) == sentence


def test_a_moment_that_some_clock_cannot_show_is_refused(settings):
    settings.LOADIFY_CARDS_ZONE = "Asia/Dubai"
    moment = Moment("timestamp", "LOADIFY_CARDS_ZONE")
    for text in ("0001-01-01", "0001-01-01T23:00:00Z", "9999-12-31T20:30:00Z", "9999-12-31 23:30"):
        with pytest.raises(BadValue, match="is not within the years 1 to 9999 in every time zone"):
            moment(text)
    assert moment("31-12-9999 00:00") == "9999-12-30T20:00:00+00:00"


@pytest.mark.parametrize(("text", "value"), [("Yes", "true"), (" 0 ", "false"), ("FALSE", "false"), ("", None)])
def test_a_flag_takes_the_usual_spellings(text, value):
    assert Flag("active")(text) == value


def test_a_flag_refuses_other_words():
    with pytest.raises(BadValue, match="“maybe” in active is neither yes nor no"):
        Flag("active").many(["1", "maybe"])


def test_storable_text_holds_neither_nul_nor_lone_surrogates():
    assert storable("a\0\udce9é") == "a␀\\xe9é"


def test_quote_cuts_and_hides_what_cannot_be_shown():
    assert quote("a\tb", 40) == "“a·b”"
    assert quote("x" * 50, 10) == "“xxxxxxxxxx…”"
