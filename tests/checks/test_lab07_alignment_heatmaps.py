"""What is special to lab 7's checks: figures that are looked at and put away, and gold alignments that people made."""

import dataclasses
from itertools import product
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from nbclient import NotebookClient
from torch import Tensor

from helpers import plotting
from helpers.checks import check, figures
from helpers.checks.catalogue import find_exercise
from helpers.checks.engine import examine
from helpers.checks.report import RECORD
from tests.checks.answers.lab07_alignment_heatmaps import alignment_error_rate, plot_attention

PLOTS = plot_attention.BANK
HANSARDS = Path(__file__).parents[3] / "shared" / "corpora" / "hansards37.align"
WEIGHTS = torch.tensor([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]])
SOURCE, TARGET = ["a", "red", "car"], ["une", "voiture"]


def by_hand(weights, source_tokens, target_tokens, ax=None):
    ax = plt.gca() if ax is None else ax
    ax.imshow(weights, vmin=0, vmax=1)
    ax.set_xticks(range(3), source_tokens)
    ax.set_yticks(range(2), target_tokens)
    return ax


# --- Figures ---------------------------------------------------------------------------------------------------------


def test_the_courses_own_heatmap_is_a_right_answer():
    check(plotting.plot_attention, "plot_attention")


def test_a_drawing_says_what_is_on_the_axes():
    drawing = figures.draw(by_hand, WEIGHTS, SOURCE, TARGET, on_axes=True)
    (heatmap,) = drawing.picture.heatmaps
    assert drawing.gave == figures.GIVEN and drawing.elsewhere == () and drawing.changed == ()
    assert torch.equal(heatmap.values, WEIGHTS.double()) and heatmap.scale == (0.0, 1.0)
    assert heatmap.x.tolist() == [0, 1, 2] and heatmap.y.tolist() == [0, 1]
    assert drawing.picture.x.labels == ((0.0, "a"), (1.0, "red"), (2.0, "car"))
    assert drawing.picture.y.labels == ((0.0, "une"), (1.0, "voiture"))
    assert drawing.picture.y.limits == (1.5, -0.5)


@pytest.mark.parametrize("name", ["imshow", "matshow", "pcolormesh", "pcolor", "pcolorfast"])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_every_kind_of_heatmap_is_read_where_it_lies(name, is_inverted):
    def draw(weights, source_tokens, target_tokens, ax):
        getattr(ax, name)(weights.numpy())
        if is_inverted:
            ax.invert_yaxis()
        return ax

    picture = figures.draw(draw, WEIGHTS, SOURCE, TARGET, on_axes=True).picture
    (heatmap,) = picture.heatmaps
    bottom, top = picture.y.limits
    from_the_top = heatmap.values[heatmap.y.argsort(descending=top > bottom)]
    first_on_top = (name in ("imshow", "matshow")) != is_inverted
    assert torch.equal(from_the_top, (WEIGHTS if first_on_top else WEIGHTS.flip(0)).double())
    assert (heatmap.x.diff() == 1).all()


def test_labels_that_are_hidden_or_out_of_sight_are_no_labels():
    def draw(weights, source_tokens, target_tokens, ax):
        ax.imshow(weights)
        ax.set_xticks([-1, 0, 1, 2], ["outside", *source_tokens])
        ax.set_xlim(-0.5, 2.5)
        ax.set_yticks(range(2), target_tokens)
        ax.tick_params(labelleft=False)

    picture = figures.draw(draw, WEIGHTS, SOURCE, TARGET, on_axes=True).picture
    assert [text for _, text in picture.x.labels] == SOURCE
    assert picture.y.labels == ()


def plain(value) -> bool:
    if dataclasses.is_dataclass(value):
        return all(plain(getattr(value, each.name)) for each in dataclasses.fields(value))
    if type(value) is tuple:
        return all(map(plain, value))
    return value is None or type(value) in (str, int, float, Tensor)


@pytest.mark.parametrize("answer", PLOTS, ids=lambda answer: answer.id)
def test_a_drawing_is_plain_data_that_could_come_from_another_process(answer):
    assert plain(figures.draw(answer.function, WEIGHTS, SOURCE, TARGET, on_axes=True))


@pytest.mark.parametrize("answer", PLOTS, ids=lambda answer: answer.id)
def test_a_check_leaves_pyplot_as_it_was_and_writes_nothing_to_stderr(answer, capfd, recwarn):
    mine, other = plt.figure(), plt.figure()
    plt.figure(mine.number)
    settings, backend = dict(mpl.rcParams), plt.get_backend()
    try:
        examine(answer.function, find_exercise("plot_attention"), seed=0)
        assert plt.get_fignums() == [mine.number, other.number] and plt.gcf() is mine
        assert mine.axes == other.axes == []
        assert dict(mpl.rcParams) == settings and plt.get_backend() == backend
        assert not [each for each in recwarn if issubclass(each.category, UserWarning)]
    finally:
        plt.close(mine)
        plt.close(other)
    assert capfd.readouterr().err == ""


def test_a_function_that_raises_leaves_no_figure_open():
    def fail(*args, **kwargs):
        plt.figure()
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError):
        figures.draw(fail, WEIGHTS, SOURCE, TARGET, on_axes=True)
    assert plt.get_fignums() == []


@pytest.mark.slow
def test_a_check_shows_no_picture_in_a_notebook():
    cell = (
        "import matplotlib.pyplot as plt\n"
        "from helpers.checks import check\n"
        "def plot_attention(weights, source_tokens, target_tokens, ax=None):\n"
        "    ax = plt.gca() if ax is None else ax\n"
        "    ax.imshow(weights, vmin=0, vmax=1)\n"
        "    ax.set_xticks(range(len(source_tokens)), source_tokens)\n"
        "    ax.set_yticks(range(len(target_tokens)), target_tokens)\n"
        "    ax.set(xlabel='source', ylabel='target')\n"
        "    plt.show()\n"
        "    return ax\n"
        "check(plot_attention)"
    )
    after = "plt.plot([1, 2]);"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in (cell, after)])
    NotebookClient(notebook, resources={"metadata": {"path": str(Path(__file__).parents[2])}}).execute()
    checked, drawn = ([set(each.get("data", {})) for each in cell.outputs] for cell in notebook.cells)
    assert checked == [{"text/plain", "text/html", RECORD}]  # the report, and neither a picture nor anything on stderr
    assert drawn == [{"image/png", "text/plain"}]  # while what the student draws next is shown as ever


# --- Gold alignments -------------------------------------------------------------------------------------------------

RATES = [answer.function for answer in alignment_error_rate.BANK if answer.is_right]


def gold_alignments() -> list[tuple[set, set]]:
    """The sure and the possible links of each sentence, English first."""
    if not HANSARDS.exists():
        pytest.skip("needs the real corpora beside the repository (shared/corpora/hansards37.align)")
    sentences = []
    for line in HANSARDS.read_text().splitlines():
        sure, possible = set(), set()
        for link in line.split():
            separator = "-" if "-" in link else "?"
            target, source = map(int, link.split(separator))
            possible.add((target, source))
            if separator == "-":
                sure.add((target, source))
        sentences.append((sure, possible))
    return sentences


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: rate.__name__)
def test_right_rates_agree_with_och_and_ney_on_alignments_that_people_made(rate):
    for sure, possible in gold_alignments():
        # Between the sure and the possible links nothing is wrong; beyond them, every link is.
        assert rate(set(sure), set(sure), set(possible)) == rate(set(possible), set(sure), set(possible)) == 0
        far = {(target + 1000, source) for target, source in possible}
        assert rate(far, set(sure), set(possible)) == 1
        # One wrong link more costs what the formula's denominator says.
        assert rate(sure | {(1000, 0)}, set(sure), set(possible)) == pytest.approx(1 / (2 * len(sure) + 1))


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: rate.__name__)
def test_right_rates_agree_with_precision_and_recall_weighted_by_their_numbers(rate):
    links = list(product(range(2), range(2)))
    subsets = [{link for bit, link in enumerate(links) if number >> bit & 1} for number in range(2 ** len(links))]
    for predicted, sure, possible in product(subsets, repeat=3):
        if sure <= possible and (predicted or sure):
            precision = len(predicted & possible) / len(predicted) if predicted else 0
            recall = len(predicted & sure) / len(sure) if sure else 0
            weighted = (precision * len(predicted) + recall * len(sure)) / (len(predicted) + len(sure))
            assert rate(set(predicted), set(sure), set(possible)) == pytest.approx(1 - weighted)
