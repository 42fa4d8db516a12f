"""Heatmaps with their words on, on one scale, without pyplot's global figures."""

import struct
import subprocess
import sys
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.ft2font import FT2Font

from helpers.phrasebook import phrasebook
from helpers.plotting import (
    CHINESE_FONT,
    KEY,
    OTHERS,
    QUERY,
    VALUE,
    LiveCurve,
    draw_boxes,
    outline_links,
    plot_attention,
    plot_attention_grid,
    show,
    subplots,
)
from helpers.training import History

SOURCE, TARGET = ("the", "red", "car"), ("voiture", "rouge")
WEIGHTS = torch.tensor([[0.1, 0.2, 0.7], [0.0, 0.9, 0.1]])  # (target, source)


@pytest.fixture(autouse=True)
def no_figure_is_left_in_pyplot():
    before = plt.get_fignums()
    yield
    assert plt.get_fignums() == before


def words(labels):
    return tuple(label.get_text() for label in labels)


def drawn(ax):
    """The matrix in a picture as a reader sees it: its first row is the one at the top."""
    (image,) = ax.images
    bottom, top = ax.get_ylim()
    assert bottom > top, "row 0 must be at the top"
    assert image.origin == "upper"
    return np.asarray(image.get_array())


def test_rows_are_target_tokens_from_the_top_and_columns_are_source_tokens():
    ax = plot_attention(WEIGHTS, SOURCE, TARGET)
    assert np.array_equal(drawn(ax), WEIGHTS.numpy())
    assert "source" in ax.get_xlabel() and "target" in ax.get_ylabel()


@pytest.mark.parametrize("length", [1, 2, 13, 40])
def test_every_tick_is_labelled_at_its_own_cell(length):
    source, target = [f"s{i}" for i in range(length)], [f"t{i}" for i in range(length + 1)]
    ax = plot_attention(torch.full((length + 1, length), 1 / length), source, target)
    ax.figure.draw_without_rendering()
    assert ax.get_xticks().tolist() == list(range(length)) and words(ax.get_xticklabels()) == tuple(source)
    assert ax.get_yticks().tolist() == list(range(length + 1)) and words(ax.get_yticklabels()) == tuple(target)


def test_repeated_tokens_keep_a_column_each():
    ax = plot_attention(torch.eye(3), ["A", "A", "B"], ["B", "A", "A"])
    assert words(ax.get_xticklabels()) == ("A", "A", "B") and words(ax.get_yticklabels()) == ("B", "A", "A")


def test_the_colour_scale_runs_from_0_to_1_whatever_the_weights():
    for scale in (0.01, 1.0):
        ax = plot_attention(scale * WEIGHTS, SOURCE, TARGET)
        assert ax.images[0].get_clim() == (0.0, 1.0)
        assert len(ax.figure.axes) == 2  # the picture and its scale
        assert ax.figure.axes[1].get_ylabel() == "attention weight"


def test_a_token_with_dollar_signs_is_not_read_as_a_formula():
    ax = plot_attention(torch.eye(2), ["$x_1$", "$\\oops$"], ["$", "a$b$c"])
    ax.figure.draw_without_rendering()  # a formula with an unknown command would fail here
    assert words(ax.get_xticklabels()) == ("$x_1$", "$\\oops$")


def test_an_axes_that_is_given_is_drawn_on():
    figure, (left, right) = subplots(1, 2)
    assert plot_attention(WEIGHTS, SOURCE, TARGET, ax=right, title="right") is right
    assert not left.images and len(right.images) == 1 and right.figure is figure
    assert right.get_title(loc="left") == "right"


def test_a_pyplot_axes_that_is_not_current_is_drawn_on_too():
    figure, (first, second) = plt.subplots(1, 2)
    plt.sca(first)
    plot_attention(WEIGHTS, SOURCE, TARGET, ax=second)
    assert not first.images and second.images and plt.gca() is first
    plt.close(figure)


def test_numbers_show_each_weight_in_its_cell_in_readable_ink():
    ax = plot_attention(WEIGHTS, SOURCE, TARGET, numbers=True)
    written = {text.get_position(): (text.get_text(), text.get_color()) for text in ax.texts}
    assert written[(2, 0)] == ("0.70", "black") and written[(1, 1)] == ("0.90", "white") and len(written) == 6
    assert not plot_attention(WEIGHTS, SOURCE, TARGET).texts


@pytest.mark.parametrize("value", [0.0, 0.3, 0.5, 0.61, 0.71, 0.72, 0.8, 1.0])
def test_numbers_contrast_with_their_cell_as_the_web_guidelines_ask(value):
    ax = plot_attention(torch.full((1, 1), value), ["s"], ["t"], numbers=True)
    channels = np.array(ax.images[0].to_rgba(np.array([[value]]))[0, 0, :3], dtype=float)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    ink = 1.0 if ax.texts[0].get_color() == "white" else 0.0
    lighter, darker = max(ink, luminance), min(ink, luminance)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG 2.1, success criterion 1.4.3


def test_weights_that_need_gradients_or_half_precision_are_drawn():
    ax = plot_attention(WEIGHTS.clone().requires_grad_(), SOURCE, TARGET)
    assert np.array_equal(drawn(ax), WEIGHTS.numpy())
    ax = plot_attention(WEIGHTS.bfloat16(), SOURCE, TARGET)
    assert np.allclose(drawn(ax), WEIGHTS.numpy(), atol=0.01)


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        (WEIGHTS.T, r"not \(3, 2\)"),
        (WEIGHTS[None], r"not \(1, 2, 3\)"),
        (WEIGHTS[:, :2], r"not \(2, 2\)"),
        (WEIGHTS.tolist(), "not list"),
    ],
    ids=["transposed", "with a batch", "a token too many", "a list"],
)
def test_weights_that_do_not_fit_the_tokens_are_refused(weights, found, as_a_user):
    with pytest.raises(ValueError, match=f"weights must .*{found}"):
        plot_attention(weights, SOURCE, TARGET)
    with pytest.raises(ValueError, match=f"weights must .*{found}"):
        plot_attention_grid([weights], [SOURCE], [TARGET], ["one"])


def test_a_grid_has_one_picture_each_and_one_scale_for_all():
    shapes = [(2, 3), (4, 2), (3, 3), (1, 1)]
    figure = plot_attention_grid(
        [torch.rand(shape) for shape in shapes],
        [[f"s{i}" for i in range(columns)] for _, columns in shapes],
        [[f"t{i}" for i in range(rows)] for rows, _ in shapes],
        list("abcd"),
        columns=3,
    )
    pictures = [ax for ax in figure.axes if ax.get_xlabel()]
    scales = [ax for ax in figure.axes if ax.get_ylabel() == "attention weight"]
    assert [ax.get_title(loc="left") for ax in pictures] == list("abcd")
    assert [drawn(ax).shape for ax in pictures] == shapes
    assert {ax.images[0].get_clim() for ax in pictures} == {(0.0, 1.0)}
    assert len(scales) == 1 and len(figure.axes) == 5  # the two places left over are empty


def test_a_grid_needs_one_entry_for_each_picture():
    with pytest.raises(ValueError, match="one entry for each picture, but have 2, 2, 1 and 2"):
        plot_attention_grid([WEIGHTS, WEIGHTS], [SOURCE, SOURCE], [TARGET], ["a", "b"])
    with pytest.raises(ValueError, match="one entry for each picture, but have 0, 0, 0 and 0"):
        plot_attention_grid([], [], [], [])


def test_query_key_and_value_have_a_colour_each_that_nothing_else_has():
    assert len({to_hex(colour) for colour in (QUERY, KEY, VALUE, *OTHERS)}) == 7
    ax = plot_attention(WEIGHTS, SOURCE, TARGET)
    assert (ax.xaxis.label.get_color(), ax.yaxis.label.get_color()) == (KEY, QUERY)


def test_boxes_stand_where_they_are_put_and_arrows_join_them():
    _, ax = subplots()
    assert draw_boxes(ax, {"a": (0.0, 0.0, "query", QUERY), "b": (2.0, 1.0, "key", KEY)}, [("a", "b", QUERY)]) is ax
    boxes = {text.get_text(): (text.get_position(), text.get_color()) for text in ax.texts if text.get_text()}
    assert boxes == {"query": ((0, 0), QUERY), "key": ((2, 1), KEY)}
    (arrow,) = [text for text in ax.texts if not text.get_text()]
    assert arrow.xy == (2, 1) and arrow.get_position() == (0, 0)


def test_an_arrow_to_a_box_that_is_not_there_is_refused():
    _, ax = subplots()
    with pytest.raises(ValueError, match="there is no box named 'c'"):
        draw_boxes(ax, {"a": (0.0, 0.0, "query", QUERY)}, [("a", "c", QUERY)])


def test_show_gives_the_picture_a_caption_that_is_also_its_text_alternative(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: shown.append((args[0], kwargs)))
    show(plot_attention(WEIGHTS, SOURCE, TARGET).figure, "Rows look left.")
    (picture, options), (caption, _) = shown
    assert picture["image/png"].startswith(b"\x89PNG") and picture["text/plain"] == "[picture: Rows look left.]"
    assert options["metadata"]["image/png"]["alt"] == "Rows look left."
    assert caption.data == "*Rows look left.*"


def test_a_picture_is_drawn_twice_as_finely_as_it_is_shown(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: shown.append((args[0], kwargs)))
    show(subplots(size=(5.0, 2.0))[0], "Nothing.")
    picture, options = shown[0]
    size = options["metadata"]["image/png"]
    width, height = struct.unpack(">II", picture["image/png"][16:24])  # where a PNG says its size
    assert (size["width"], size["height"]) == (400, 160) and (width, height) == (800, 320)


def test_what_is_drawn_after_subplots_has_the_courses_style(monkeypatch):
    monkeypatch.setattr("IPython.display.display", lambda *args, **kwargs: None)
    figure, ax = subplots()
    (thick,), (thin,) = ax.plot([0, 1], label="a line", color=QUERY), ax.plot([1, 0], linewidth=1)
    ax.set_title("a title")
    legend = ax.legend()
    show(figure, "Two lines.")
    assert (thick.get_linewidth(), thin.get_linewidth()) == (2, 1)
    assert (ax.get_title(), ax.get_title(loc="left")) == ("", "a title")
    assert legend.get_frame().get_linewidth() == 0


def test_a_grid_of_wide_heatmaps_has_fewer_columns_so_that_its_words_stay_large():
    def columns(tokens):
        words = [f"w{i}" for i in range(tokens)]
        figure = plot_attention_grid([torch.eye(tokens)] * 6, [words] * 6, [words] * 6, ["title"] * 6, columns=3)
        return figure.axes[0].get_gridspec().ncols

    assert (columns(4), columns(9), columns(20)) == (3, 2, 1)


class Handle:
    def __init__(self, pictures):
        self.pictures = pictures

    def update(self, picture, **options):
        self.pictures.append((picture, options))


def test_a_caption_may_name_a_token_that_looks_like_a_tag(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *outputs, **options: shown.extend(outputs))
    show(subplots()[0], "It ends with <eos>.")
    assert shown[1].data == "*It ends with &lt;eos>.*"


def test_a_live_curve_is_one_picture_with_a_caption_that_is_drawn_anew(monkeypatch):
    shown, updates = [], []

    def display(*args, **options):
        shown.append((args[0], options))
        return Handle(updates) if options.get("display_id") else None

    monkeypatch.setattr("IPython.display.display", display)
    curve = LiveCurve("The loss falls.")
    (empty, options), (caption, _) = shown
    assert options["metadata"]["image/png"]["alt"] == "The loss falls." and caption.data == "*The loss falls.*"

    history = History(steps=[10], losses=[2.0])
    curve(history)
    history.steps.append(20)
    history.losses.append(1.0)
    curve(history)
    assert len(shown) == 2 and len(updates) == 2
    pictures = [empty["image/png"], *(picture["image/png"] for picture, _ in updates)]
    assert len(set(pictures)) == 3 and all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert all(options["metadata"]["image/png"]["alt"] == "The loss falls." for _, options in updates)


def test_it_works_without_a_display_and_without_pyplot():
    code = (
        "import sys, torch; from helpers.plotting import plot_attention\n"
        "plot_attention(torch.eye(2), ['a', 'b'], ['b', 'a']).figure.draw_without_rendering()\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def pixels(text, **properties):
    figure, ax = subplots()
    ax.set_title(text, **properties)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


@pytest.mark.slow
def test_every_chinese_character_of_the_phrasebook_is_in_the_font():
    said = {character for pair in phrasebook("cmn") for token in pair.target for character in token}
    assert said and said <= {chr(code) for code in FT2Font(CHINESE_FONT).get_charmap()}


def test_a_chinese_heatmap_is_drawn_without_a_warning_and_each_character_has_its_own_shape():
    pair = next(pair for pair in phrasebook("cmn", size=200) if len(pair.target) > 10)
    weights = torch.rand(len(pair.target), len(pair.source))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "Glyph … missing from font"
        plot_attention(weights, pair.source, pair.target, title="红色 的 汽车").figure.draw_without_rendering()
        plot_attention_grid([weights.T], [pair.target], [pair.source], ["。"]).draw_without_rendering()
        assert not np.array_equal(pixels("红"), pixels("车"))


def test_the_chinese_font_leaves_latin_text_as_it_was():
    text = "voiture rouge, déjà vu: 0.25 → √d"
    assert np.array_equal(pixels(text), pixels(text, fontfamily="sans-serif"))
    with pytest.warns(UserWarning, match="missing from font"):  # the usual font alone can't
        pixels("车", fontfamily="DejaVu Sans")


def test_links_are_framed_at_their_cells_sure_ones_solid_and_possible_ones_dotted():
    ax = plot_attention(WEIGHTS, SOURCE, TARGET)
    assert outline_links(ax, {(0, 2)}, {(0, 2), (1, 0)}) is ax
    frames = {tuple(patch.get_bbox().min + patch.get_bbox().size / 2): patch.get_linestyle() for patch in ax.patches}
    assert len(ax.patches) == 2 and {tuple(np.round(xy, 6)) for xy in frames} == {(2, 0), (0, 1)}  # (source, target)
    styles = {tuple(np.round(xy, 6)): style for xy, style in frames.items()}
    assert styles[2, 0] in ("solid", "-") and styles[0, 1] not in ("solid", "-")


@pytest.mark.parametrize("link", [(2, 0), (0, 3), (-1, 0)])
def test_a_link_outside_the_heatmap_is_refused(link):
    with pytest.raises(ValueError, match="lies outside the heatmap of 2 rows and 3 columns"):
        outline_links(plot_attention(WEIGHTS, SOURCE, TARGET), {link})
