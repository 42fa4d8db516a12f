"""What every check does: how it finds the exercise, what it raises, what it prints, what it leaves alone."""

import dataclasses
import functools
import json
import subprocess
import sys
import warnings

import pytest
import torch

from helpers.attention import BilinearScore, length_mask, masked_softmax
from helpers.checks import CheckFailed, check
from helpers.checks.catalogue import all_exercises, find_exercise
from helpers.checks.engine import Case, Draw, Exercise, Misconception, Property, examine
from helpers.checks.judging import equals, output
from helpers.checks.report import Report
from helpers.metrics import bleu
from helpers.progress import Way


def blank(scores, valid_lens=None):
    raise NotImplementedError()


def over_queries(scores, valid_lens=None):
    return scores.softmax(1)


def report_on(answer, exercise="masked_softmax", written=""):
    known = find_exercise(exercise)
    findings, misconceptions = examine(answer, known, seed=0)
    return Report(known, 0, findings, misconceptions, written)


def test_a_failed_check_tells_the_exercise_the_failures_and_the_misconception():
    with pytest.raises(CheckFailed) as failed:
        check(over_queries, "masked_softmax", seed=0)
    assert isinstance(failed.value, AssertionError)
    assert failed.value.exercise == "masked_softmax"
    assert failed.value.misconception == "softmax-over-queries"
    assert "sum to 1" in failed.value.failures[0].property.text
    assert all(failure.problem for failure in failed.value.failures)


def test_a_blank_answer_is_told_what_to_do_and_accused_of_nothing(capsys):
    with pytest.raises(CheckFailed, match="still blank") as failed:
        check(blank, "masked_softmax")
    assert failed.value.misconception is None
    printed = capsys.readouterr().out
    assert "raise NotImplementedError()" in printed
    assert "✗" not in printed


def test_the_report_says_the_mistake_first_then_yours_beside_wanted_and_then_each_property(capsys):
    with pytest.raises(CheckFailed):
        check(over_queries, "masked_softmax", seed=4)
    printed = capsys.readouterr().out
    assert printed.startswith("masked_softmax: the softmax runs over the queries\n")
    for each in find_exercise("masked_softmax").properties:
        assert sum(f"  ✓ {each.text}" in line or f"  ✗ {each.text}" in line for line in printed.splitlines()) == 1
    in_order = ("which axis is that?", "✗ without lengths", "given scores = [[[", "yours ", "2 of 15 hold", "seed 4")
    assert [printed.index(words) for words in in_order] == sorted(printed.index(words) for words in in_order)
    for line in ("known as softmax-over-queries", "scores = tensor of shape (1, 2, 3)", "wanted: tensor"):
        assert line in printed


def test_the_printed_seed_repeats_the_inputs(capsys):
    def printed(seed):
        with pytest.raises(CheckFailed):
            check(over_queries, "masked_softmax", seed=seed)
        return capsys.readouterr().out

    assert printed(7) == printed(7)
    assert printed(7) != printed(8)


def test_without_a_seed_the_inputs_are_fresh(capsys, monkeypatch):
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)
    for _ in range(8):
        check(masked_softmax)
    headings = [line for line in capsys.readouterr().out.splitlines() if "seed" in line]
    assert len(set(headings)) > 1


def test_under_nbgrader_the_inputs_stay_the_same(capsys, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    for _ in range(2):
        check(masked_softmax)
    headings = [line for line in capsys.readouterr().out.splitlines() if "seed" in line]
    assert len(headings) == 2
    assert len(set(headings)) == 1


def test_an_answer_is_known_by_the_name_it_is_bound_to():
    """As in a notebook where a student wrote `masked_softmax = lambda ...`, or a partial, or a class."""

    class Callable:
        def __call__(self, scores, valid_lens=None):
            return masked_softmax(scores, valid_lens)

    def of_another_name(scores, valid_lens=None):
        return masked_softmax(scores, valid_lens)

    for answer in (
        lambda scores, valid_lens=None: masked_softmax(scores, valid_lens),
        functools.partial(masked_softmax),
        Callable(),
        of_another_name,
    ):
        exec("check(masked_softmax)", {"check": check, "masked_softmax": answer})


def test_one_function_is_no_answer_to_two_exercises():
    mask = lambda valid_lens, max_len: torch.arange(max_len) < valid_lens.unsqueeze(-1)  # noqa: E731
    with pytest.raises(ValueError, match="length_mask and masked_mean are the same function"):
        exec("check(masked_mean)", {"check": check, "length_mask": mask, "masked_mean": mask})


def test_a_function_that_goes_by_the_name_of_another_exercise_is_checked_as_what_it_is_bound_to():
    def length_mask(valid_lens, max_len):
        return torch.arange(max_len) < valid_lens.unsqueeze(-1)

    with pytest.raises(CheckFailed, match="masked_mean"):
        exec("check(masked_mean)", {"check": check, "masked_mean": length_mask})


def test_an_unknown_exercise_gets_a_sentence_with_the_known_ones():
    with pytest.raises(ValueError, match=r"no exercise called 'over_queries'.*masked_softmax"):
        check(over_queries)


@pytest.mark.filterwarnings("ignore:careful")
def test_nothing_goes_to_stderr_and_what_an_answer_prints_is_shown_at_the_end(capsys):
    def talkative(scores, valid_lens=None):
        print("here I am")
        print("trouble", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        return masked_softmax(scores, valid_lens)

    check(talkative, "masked_softmax")
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "While it was checked, your answer printed" in printed.out
    assert "here I am" in printed.out


def test_an_answer_that_raises_fails_with_its_own_error():
    def broken(scores, valid_lens=None):
        return scores[99]

    with pytest.raises(CheckFailed) as failed:
        check(broken, "masked_softmax")
    assert "IndexError" in failed.value.failures[0].problem


def test_strange_results_are_reported_and_break_nothing():
    for result in (None, 3, "weights", [1.0], torch.ones(2), torch.ones(1, 2, 3) > 0, {}):
        with pytest.raises(CheckFailed):
            check(lambda scores, valid_lens=None, result=result: result, "masked_softmax")


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_results_that_are_no_ordinary_tensors_are_reported_and_break_nothing():
    def as_is(kind):
        return lambda scores, valid_lens=None: kind(masked_softmax(scores, valid_lens))

    kinds = (
        lambda w: w.to("meta"),
        torch.Tensor.to_sparse,
        torch.complex,
        lambda w: torch.nested.nested_tensor(list(w)),
    )
    for kind in kinds:
        with pytest.raises(CheckFailed):
            check(as_is(kind), "masked_softmax")


def test_a_crash_is_not_taken_for_a_mistake_of_the_table():
    for crash in (
        lambda scores, valid_lens=None: scores.soft_max(-1),
        lambda scores, valid_lens=None: torch.arrange(3),
        lambda scores, valid_lens=None: scores @ scores.flatten(),
        lambda: None,
        None,
    ):
        with pytest.raises(CheckFailed) as failed:
            check(crash, "masked_softmax")
        assert failed.value.misconception is None


def test_an_error_of_pytorchs_own_does_not_make_an_answer_blank():
    def unsupported(scores, valid_lens=None):
        raise NotImplementedError('"softmax" not implemented for this type')

    with pytest.raises(CheckFailed, match="properties fail"):
        check(unsupported, "masked_softmax")


def test_a_blank_function_that_the_answer_calls_is_named(capsys):
    def length_mask(valid_lens, max_len):
        raise NotImplementedError()

    with pytest.raises(CheckFailed, match="masked_softmax waits for length_mask"):
        check(lambda scores, valid_lens=None: length_mask(valid_lens, 3), "masked_softmax")
    assert "masked_softmax calls length_mask" in capsys.readouterr().out


def test_an_answer_that_leaves_python_does_not_get_away():
    with pytest.raises(CheckFailed):
        check(lambda scores, valid_lens=None: sys.exit(), "masked_softmax")


def test_the_settings_around_a_check_make_no_difference_and_are_kept():
    try:
        torch.set_default_dtype(torch.float64)
        with torch.no_grad():
            check(masked_softmax)
            assert not torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_partial_credit_is_the_share_of_the_properties_that_hold():
    def versions_1_and_3(buggy):
        return torch.zeros(1, 1, 3), torch.tensor([2])

    def all_three(buggy):
        return torch.zeros(1, 1, 3), torch.tensor([0])

    assert check(versions_1_and_3, "breaking_input", points=3) == 2
    assert check(all_three, "breaking_input", points=3) == 3
    with pytest.raises(CheckFailed):
        check(blank, "breaking_input", points=3)


def test_the_random_state_the_threads_and_the_answers_arguments_are_left_alone():
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    check(masked_softmax)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_the_html_escapes_what_comes_from_the_answer():
    def hostile(scores, valid_lens=None):
        raise ValueError("<script>alert(1)</script>")

    html = report_on(hostile, written="<img src=x onerror=alert(1)>").html
    assert "<script>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_html_and_text_say_the_same():
    report = report_on(over_queries)
    for finding in report.findings:
        assert finding.property.text in report.text
    assert "which axis is that?" in report.text
    assert "which axis is that?" in report.html
    assert "<em>query</em>" in report.html
    assert "runs over the queries" in report.summary


def test_the_record_says_for_programs_what_the_report_says():
    known = find_exercise("masked_softmax")
    assert report_on(over_queries).record == {
        "exercise": "masked_softmax",
        "blank": False,
        "held": sum(finding.problem is None for finding in report_on(over_queries).findings),
        "properties": len(known.properties),
        "misconception": "softmax-over-queries",
        "also": [],
        "fails": [[each.property.text, each.problem] for each in report_on(over_queries).failures],
    }
    assert report_on(blank).record["blank"]
    right = report_on(masked_softmax).record
    assert right["misconception"] is None and right["held"] == right["properties"]
    json.dumps(right)


def test_a_notebook_shows_one_line_in_place_of_the_traceback():
    with pytest.raises(CheckFailed) as failed:
        check(over_queries, "masked_softmax", seed=0)
    (line,) = failed.value._render_traceback_()
    assert line == f"CheckFailed: {failed.value}"


def test_every_exercise_can_be_told_apart_by_its_ids():
    for exercise in all_exercises().values():
        ids = [misconception.id for misconception in exercise.misconceptions]
        assert len(set(ids)) == len(ids)
        suggested = {each.suggests for each in exercise.properties if isinstance(each.suggests, str)}
        assert suggested <= set(ids)


def test_a_known_mistake_is_observed_once_for_each_seed_however_many_answers_are_held_against_it():
    calls = []

    def known_to_forget_the_sign(x):
        calls.append(x)
        return x

    mistake = Misconception("no-sign", "the sign is missing", "It should be negative.", (known_to_forget_the_sign,))
    cases = lambda draw: [Case((x,), -x) for x in (draw.normal(2), draw.normal(3))]  # noqa: E731
    exercise = Exercise("negative", ("x",), (Property("is negative", cases, output, equals),), (mistake,))
    for answer in (lambda x: x, lambda x: x.clone(), lambda x: x * 1.0):
        _, named = examine(answer, exercise, seed=1)
        assert named == (mistake,)
    assert len(calls) == 2
    examine(lambda x: x, exercise, seed=2)
    assert len(calls) == 4


def test_what_an_answer_does_to_its_arguments_doesnt_reach_the_next_answer():
    def emptying(hypotheses, references):
        hypotheses.clear()
        references.clear()
        return 0.0

    for _ in range(2):
        with pytest.raises(CheckFailed):
            check(emptying, "bleu", seed=0)
        check(bleu, "bleu", seed=0)

    class Zeroing(BilinearScore):
        def forward(self, queries, keys):
            scores = super().forward(queries, keys)
            for tensor in (queries, keys, *self.parameters()):
                tensor.data.zero_()
            return scores

    with pytest.raises(CheckFailed):
        check(Zeroing, "BilinearScore", seed=0)
    check(BilinearScore, "BilinearScore", seed=0)


def test_a_report_doesnt_depend_on_random_numbers_that_were_drawn_before():
    noisy = lambda scores, valid_lens=None: masked_softmax(scores, valid_lens) + torch.rand(scores.shape)  # noqa: E731
    torch.manual_seed(1)
    first = report_on(noisy).text
    torch.rand(5)
    assert report_on(noisy).text == first


def test_draws_repeat_with_the_seed():
    assert torch.equal(Draw(5).normal(2, 3), Draw(5).normal(2, 3))
    assert not torch.equal(Draw(5).normal(2, 3), Draw(6).normal(2, 3))
    whole = Draw(5).integers(1, 3, 200)
    assert set(whole.tolist()) == {1, 2, 3}


def test_importing_the_checks_loads_no_plotting_and_no_notebook_library():
    loaded = (
        "import sys, helpers.checks; print([m for m in ('matplotlib', 'IPython', 'jaxtyping') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def forgetting(*wrong_places: int):
    """A function of x that makes a mistake in some of its three numbers: 1 is added there."""

    def function(x):
        return tuple(x + 1 if place in wrong_places else x for place in range(3))

    return function


def three_numbers() -> Exercise:
    """An exercise with a property for each number, and a mistake for each of the first two."""
    properties = tuple(
        Property(
            f"number {place} is right",
            lambda draw, place=place: [Case((x,), x) for x in (draw.normal(2), draw.normal(3))],
            lambda answer, args, place=place: answer(*args)[place],
            equals,
        )
        for place in range(3)
    )
    mistakes = tuple(
        Misconception(f"mistake-{place}", f"number {place} is wrong", "One too many.", (forgetting(place),))
        for place in range(2)
    )
    return Exercise("three", ("x",), properties, mistakes)


def test_two_mistakes_at_once_are_both_named():
    findings, named = examine(forgetting(0, 1), three_numbers(), seed=0)
    assert [each.id for each in named] == ["mistake-0", "mistake-1"]
    assert [finding.is_explained for finding in findings] == [True, True, False]
    text = Report(three_numbers(), 0, findings, named, "").text
    assert "three: number 0 is wrong" in text and "And besides: number 1 is wrong" in text


def test_a_second_mistake_that_raises_leaves_the_first_ones_name():
    def raising(x):
        class Numbers:
            def __getitem__(self, place):
                if place == 2:
                    raise KeyError(place)
                return forgetting(0)(x)[place]

        return Numbers()

    findings, named = examine(raising, three_numbers(), seed=0)
    assert [each.id for each in named] == ["mistake-0"]
    assert findings[2].problem == "raised KeyError: 2" and not findings[2].is_explained


def test_a_mistake_that_coincides_in_the_first_property_alone_is_not_named():
    def otherwise(x):
        return x + 1, x + 2, x + 3

    everywhere = Misconception("everywhere", "all are wrong", "One too many.", (forgetting(0, 1, 2),))
    exercise = dataclasses.replace(three_numbers(), misconceptions=(everywhere,))
    assert examine(forgetting(0, 1, 2), exercise, seed=0)[1] == (everywhere,)
    assert examine(otherwise, exercise, seed=0)[1] == ()


def test_an_error_in_every_property_is_said_once_with_the_line_that_raised_it():
    def misspelt(scores, valid_lens=None):
        return torch.soft_max(scores, -1)

    text = report_on(misspelt).text
    assert text.startswith("masked_softmax: an error stops it: AttributeError: module 'torch' has no attribute")
    assert text.count("soft_max") == 2  # in the message, and in the line of code
    assert "of your code: return torch.soft_max(scores, -1)" in text.replace("`", "")


def test_a_pass_says_the_points_and_what_is_next():
    known = find_exercise("length_mask")
    findings, _ = examine(length_mask, known, seed=0)
    way = Way("3", "3", "7", "20", True, "#Exercise-1", "../../notebooks/01_x.ipynb", ("Exercise 2", "#Exercise-2-x"))
    report = Report(known, 0, findings, (), "", None, way)
    assert "3 of 3 points here, 7 of 20 in this lab; next: Exercise 2. The hidden tests' points are open" in report.text
    assert 'next: <a href="#Exercise-2-x">Exercise 2</a>' in report.html


def test_a_failure_says_where_to_look_with_links_if_the_notebook_is_known():
    known = find_exercise("length_mask")
    findings, named = examine(lambda valid_lens, max_len: None, known, seed=0)
    way = Way("0", "3", "0", "20", False, "#Exercise-1", "../../notebooks/01_x.ipynb", None)
    html = Report(known, 0, findings, named, "", None, way).html
    assert '<a href="#Exercise-1">the text of <code>length_mask</code> and its hints</a>' in html
    section = "../../notebooks/01_masked_softmax.ipynb#2-·-Padding:-why-a-batch-has-holes"
    assert f'<a href="{section}">notebook 01, “Padding: why a batch has holes”</a>' in html


def test_a_failure_names_the_hint_that_helps_and_links_to_its_exercise():
    known = find_exercise("length_mask")
    findings, named = examine(lambda lens, max_len: torch.arange(max_len) <= lens.unsqueeze(-1), known, seed=0)
    way = Way("0", "3", "0", "20", False, "#Exercise-1", "../../notebooks/01_x.ipynb", None)
    html = Report(known, 0, findings, named, "", None, way).html
    assert '<a href="#Exercise-1">“Hint 1: no loop needed” of <code>length_mask</code></a>, in lab 1' in html
