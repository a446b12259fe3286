"""People: one for each e-mail, and the first that came stays."""

import pytest

from contacts.models import Person
from importer import runner
from importer.models import Change
from importer.options import Options
from importer.states import State


def people() -> list[tuple[str, str]]:
    return list(Person.objects.order_by("id").values_list("name", "email"))


def test_first_line_of_an_email_wins_whatever_its_case_and_blanks(load):
    run = load("name,email\nAnn,Ann@X.am\nBen,ben@x.am\nAnna, ann@x.AM \nANN,ANN@X.AM\n", "people")
    assert (run.state, run.created, run.superseded, run.counted) == (State.DONE, 2, 2, 4)
    assert people() == [("Ann", "ann@x.am"), ("Ben", "ben@x.am")]
    assert list(Change.objects.filter(run=run).order_by("line").values_list("line", flat=True)) == [2, 3]


def test_person_who_is_there_stays_as_they_are(load):
    load("name,email\nAnn,ann@x.am\n", "people")
    run = load("name,email\nSomebody else,ANN@x.am\nBen,ben@x.am\n", "people", options=Options(unasked=True))
    assert (run.created, run.updated, run.unchanged) == (1, 0, 1)
    assert people() == [("Ann", "ann@x.am"), ("Ben", "ben@x.am")]


def test_person_who_came_between_compare_and_apply_stays(submit, monkeypatch):
    run = submit("name,email\nAnn,ann@x.am\nBen,ben@x.am\n", "people")
    real = runner.Runner._apply

    def late(self: runner.Runner) -> None:
        Person.objects.create(name="Quick Ann", email="ann@x.am")
        real(self)

    monkeypatch.setattr(runner.Runner, "_apply", late)
    runner.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.created, run.unchanged) == (State.DONE, 1, 1)
    assert sorted(people()) == [("Ben", "ben@x.am"), ("Quick Ann", "ann@x.am")]


def test_line_without_an_email_is_rejected(load):
    run = load("name,email\nAnn,\nBen,ben(at)x.am\nCleo,c@x.am\n", "people")
    assert (run.created, run.rejected) == (1, 2)
    reasons = list(run.rejects.order_by("line").values_list("reason", flat=True))
    assert reasons[0] == "Line 2: The e-mail address is empty."
    assert reasons[1].startswith("Line 3: “ben(at)x.am” is not an e-mail address.")


@pytest.mark.parametrize("mode", ["review", "auto"])
def test_review_counts_people_who_are_there_as_unchanged(load, mode):
    load("name,email\nAnn,ann@x.am\n", "people")
    run = load("name,email\nOther,ann@x.am\nBen,ben@x.am\n", "people", mode=mode)
    assert run.review["counts"]["unchanged"] == 1
    assert run.review["counts"]["to_update"] == 0
    assert run.state == (State.REVIEW if mode == "review" else State.DONE)
