"""Nothing that a student prints, shows or writes runs where an instructor reads it."""

import base64
import logging
import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from nbgrader.server_extensions.formgrader import handlers
from traitlets.config import Config, PyFileConfigLoader

from grading.harmless import harmless, markdown_to_plain_html, plain_html, plain_text, tidy
from grading.logs import logging_to
from grading.submissions import fault_of_name
from tests.grading.classroom import ROOT

RAN = "console.log('RAN {}')"  # in a browser, what a payload does that runs
BEACON = "http://192.0.2.1/"  # an address that nobody has: asking for it gives a payload away
SVG = (
    f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{RAN.format('svg')}\"><script>{RAN.format('svg')}</script></svg>"
)

HTML = {
    "script": f"<script>{RAN.format('script')}</script>",
    "handler": f'<img src="x" onerror="{RAN.format("handler")}">',
    "svg-handler": f'<svg onload="{RAN.format("svg-handler")}"></svg>',
    "details": f'<details open ontoggle="{RAN.format("details")}">x</details>',
    "iframe": f'<iframe srcdoc="<script>{RAN.format("iframe")}</script>"></iframe>',
    "frame-link": f'<iframe src="javascript:{RAN.format("frame-link")}"></iframe>',
    "form": f'<form action="javascript:{RAN.format("form")}"><input autofocus onfocus="{RAN.format("form")}"></form>',
    "link": f'<a href="javascript:{RAN.format("link")}">a link</a>',
    "hidden-link": f'<a href="jAvAsCrIpT&colon;{RAN.format("hidden-link")}">a link</a>',
    "object": f'<object data="data:text/html,<script>{RAN.format("object")}</script>"></object>',
    "style": f'<style>body {{ display: none; background: url("{BEACON}style") }}</style>',
    "over-the-page": f'<p style="position: fixed; inset: 0; background: url({BEACON}p)">over everything</p>',
    "picture": f'<img src="{BEACON}picture">',
    "refresh": f'<meta http-equiv="refresh" content="0; url={BEACON}refresh"><base href="{BEACON}">',
    "confusion": "<math><mtext><table><mglyph><style><!--</style>"
    f'<img title="--&gt;&lt;img src=1 onerror={RAN.format("confusion")}&gt;">',
    "unclosed": f'</div></div></div><img src="x" onerror="{RAN.format("unclosed")}" ',
}
MARKDOWN = HTML | {
    "markdown-link": f"[a link](javascript:{RAN.format('markdown-link')})",
    "markdown-picture": f"![a picture]({BEACON}markdown)",
    "autolink": f"<javascript:{RAN.format('autolink')}>",
    "fence": f'```"><img/src="x"/onerror="{RAN.format("fence")}">\ncode\n```',
}
SHOWN = {
    "text/html": "".join(HTML.values()),
    "text/markdown": "\n\n".join(MARKDOWN.values()),
    "image/svg+xml": SVG,
    "application/javascript": RAN.format("application/javascript"),
    "application/vnd.jupyter.widget-view+json": {"model_id": "</script><script>" + RAN.format("widget") + "</script>"},
    "application/vnd.plotly.v1+json": {"data": []},
    "image/png": f'" onerror="{RAN.format("png")}',
    "text/latex": r"$\href{javascript:" + RAN.format("latex") + "}{x}$",
}
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
WRONG_METADATA = {
    "image/png": {"width": f'1 onerror="{RAN.format("width")}"'},
    "text/html": {"isolated": True},
    "filenames": {"image/png": BEACON},
}


def dangers(html):
    """What in a page might run or be loaded, of what isn't nbgrader's own."""
    soup = BeautifulSoup(html, "html.parser")
    found = [
        each.name for each in soup(["script", "iframe", "object", "embed", "svg", "style", "form", "meta", "base"])
    ]
    for tag in soup(True):
        for name, value in tag.attrs.items():
            text = " ".join(value) if isinstance(value, list) else str(value)
            if name.startswith("on") or re.match(r"\s*(javascript|vbscript|data:text)", text, re.IGNORECASE):
                found.append(f"{tag.name} {name}={text}")
            if BEACON in text and name != "href":
                found.append(f"{tag.name} {name}={text}")
    return found


@pytest.mark.parametrize("name", MARKDOWN)
def test_html_is_reduced_to_what_cannot_run(name):
    assert dangers(plain_html(MARKDOWN[name])) == []


def test_tables_links_formulas_and_code_stay():
    html = '<h2>Two</h2><table><tbody><tr><th>a</th><td style="text-align: right;">1</td></tr></tbody></table><a href="https://a.org">a</a>'
    assert plain_html(html) == html
    assert plain_html("if a &lt; b: $x_1$") == "if a &lt; b: $x_1$"
    assert plain_html("if a < b and c > d") == "if a &lt; b and c &gt; d"


def test_what_follows_a_heading_is_no_link():
    assert markdown_to_plain_html({}, "# Lab 1\n\nIn this lab") == "<h1>Lab 1</h1>\n<p>In this lab</p>\n"


@pytest.mark.parametrize(
    "typed",
    ["$x_1$", "$$x_1$$", r"\\(x_1\\)", r"\begin{equation}x_1\end{equation}", "# $x_1$", "[$x_1$](http://a.org)"],
)
def test_a_formula_in_markdown_is_mathml(typed):
    assert "<msub><mi>x</mi><mn>1</mn></msub></mrow>" in markdown_to_plain_html({}, typed)


def test_a_formula_that_cannot_be_shown_is_shown_as_it_was_typed():
    assert markdown_to_plain_html({}, "so $<b>_$.") == "<p>so $&lt;b&gt;_$.</p>\n"
    assert markdown_to_plain_html({}, "$$x_$$") == "<p>$$x_$$</p>\n"
    assert markdown_to_plain_html({}, r"\begin{unknown}a & b\end{unknown}") == (
        "<p>\\begin{unknown}a &amp; b\\end{unknown}</p>\n"
    )


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (r'![$\text{" onerror="alert(1)}$](data:,)', r'<img alt="$\text{&quot; onerror=&quot;alert(1)}$">'),
        ("<textarea>$x$</textarea>", "&lt;textarea&gt;$x$&lt;/textarea&gt;"),
        ("`$x$`", "<code>$x$</code>"),
    ],
)
def test_a_formula_in_an_attribute_or_in_code_stays_text(typed, shown):
    assert shown in markdown_to_plain_html({}, typed)


@pytest.mark.parametrize(
    "typed", [r"\begin{a}" * 11_000, r"\\[" * 30_000, "$x$ " * 25_000, "![](attachment:missing.png)"]
)
def test_what_would_take_minutes_or_has_no_picture_is_shown_as_it_was_typed(typed):
    assert markdown_to_plain_html({}, typed).startswith(f"<pre>{typed[:20]}")


def test_a_picture_that_was_none_is_shown_as_it_was_typed():
    context = {"cell": {"attachments": {"a.png": {}}}}
    assert markdown_to_plain_html(context, "![](attachment:a.png)") == "<pre>![](attachment:a.png)</pre>"


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("![my plot](my%20plot.png)", "<p>my plot (<code>my plot.png</code>)</p>"),
        ("see [the numbers](data/numbers.csv)", "<p>see the numbers (<code>data/numbers.csv</code>)</p>"),
        (r"[it](C:\Users\ada\plot.png)", r"it (<code>C:\Users\ada\plot.png</code>)"),
        ("![](file:///home/ada/plot.png)", "(<code>file:///home/ada/plot.png</code>)"),
        ('<img src="plot.png" width="300">', "(<code>plot.png</code>)"),
        ('so <img alt="a" src="plot.png"/> it is', "so (<code>plot.png</code>) it is"),
        ("[x](<a&b.png>)", "x (<code>a&amp;b.png</code>)"),
    ],
)
def test_a_file_beside_the_notebook_is_named(typed, shown):
    assert shown in markdown_to_plain_html({}, typed)


def test_outputs_are_reduced_to_text_pictures_and_plain_html():
    (output,) = harmless([new_output("display_data", data=SHOWN, metadata=WRONG_METADATA)])
    assert set(output.data) == {"text/html", "text/markdown", "text/latex"}
    assert output.metadata == {}
    assert dangers(output.data["text/html"]) == []
    (output,) = harmless([new_output("display_data", data={"image/png": PICTURE, "text/plain": "a picture"})])
    assert output.data == {"image/png": PICTURE, "text/plain": "a picture"}
    (output,) = harmless([new_output("display_data", data={"application/javascript": "alert(1)"})])
    assert output.data == {"text/plain": "(application/javascript: not shown)"}


@pytest.mark.parametrize(
    "output",
    [
        {"output_type": "stream", "name": ["x"], "text": {"a": 1}},
        {"output_type": "display_data", "data": ["x"], "metadata": 1},
        {"output_type": "error", "ename": 1, "evalue": None, "traceback": "x"},
        {"output_type": "execute_result", "data": {"image/png": 3, "text/plain": None}, "execution_count": "x"},
    ],
)
def test_outputs_of_a_wrong_form_become_outputs(output):
    executed = new_notebook(cells=[nbformat.v4.new_code_cell(outputs=harmless([nbformat.from_dict(output)]))])
    nbformat.validate(executed)


def test_what_steers_a_terminal_or_turns_the_text_round_is_left_out():
    assert (
        plain_text("\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\ \x9b2Jx\x08\x00")
        == "red link x"
    )
    assert plain_text("\u202egnp.exe\u2066x\u2069 \ud800") == "gnp.exex "
    assert plain_text("10%\r20%\r100%\nline\r\nlast") == "100%\nline\nlast"
    assert plain_text("naïve 文 → α\ttab\n") == "naïve 文 → α\ttab\n"
    assert len(plain_text("x" * 10**7)) < 110_000


def test_metadata_of_cells_and_of_the_notebook_is_dropped_but_for_nbgraders():
    cell = new_markdown_cell("x", metadata={"nbgrader": {"grade_id": "a"}, "x": "y", "raw_mimetype": "text/html"})
    cell.attachments = {"a.png": {"image/png": PICTURE, "text/html": HTML["script"], 'image/x"><script>': "x"}}
    notebook = new_notebook(cells=[cell], metadata={"widgets": {"x": 1}, "title": "</title><script>"})
    tidy(notebook)
    assert cell.metadata == {"nbgrader": {"grade_id": "a"}}
    assert cell.attachments == {"a.png": {"image/png": PICTURE}}
    assert set(notebook.metadata) == {"language_info"}


@pytest.mark.parametrize("name", ["\x1b]0;title\x07", "<img src=x onerror=alert(1)>", "\u202eada", 'a"b'])
def test_a_students_name_that_would_steer_a_screen_is_refused(name):
    assert "rename the folder" in fault_of_name(name)


def test_the_log_has_no_control_characters(tmp_path):
    with logging_to(tmp_path / "log") as reason:
        logging.getLogger("traitlets").error("Traceback\n\x1b]0;owned\x07 ValueError: \x1b[2J\u202e!")
    assert "\x1b" not in (tmp_path / "log").read_text() and "\u202e" not in (tmp_path / "log").read_text()
    assert reason.text == " ValueError: !"


def pages(notebook, config):
    """The student's feedback and Formgrader's page of a notebook, each as HTML."""
    for template in ("feedback", "formgrade"):
        page = Config(config)
        page.HTMLExporter.template_name = template
        page.HTMLExporter.setdefault("extra_template_basedirs", [handlers.template_path])
        page.HTMLExporter.extra_template_paths = [f"{handlers.static_path}/node_modules/bootstrap/dist/css"]
        scores = {"score": 0, "max_score": 1, "late_penalty": 0, "notebook": "x"}
        resources = {"nbgrader": scores, "index": 0, "total": 1, "base_url": "", "inlining": {"css": []}}
        yield HTMLExporter(config=page).from_notebook_node(notebook, resources)[0]


def course_config():
    return PyFileConfigLoader("nbgrader_config.py", path=str(ROOT)).load_config()


def written_and_shown(outputs):
    """A notebook with everything above: written in Markdown, and shown by code."""
    cells = [new_markdown_cell(each) for each in MARKDOWN.values()]
    return new_notebook(cells=[*cells, nbformat.v4.new_code_cell(SVG, outputs=outputs)])


def stock_and_ours(monkeypatch):
    """The pages of such a notebook as stock nbgrader makes them, and as this course does."""
    monkeypatch.chdir(ROOT)
    outputs = [new_output("display_data", data={kind: shown}, metadata=WRONG_METADATA) for kind, shown in SHOWN.items()]
    outputs.append(new_output("error", ename=HTML["script"], evalue=HTML["script"], traceback=[HTML["script"]]))
    stock = list(pages(written_and_shown(outputs), Config()))
    notebook = written_and_shown(harmless(outputs))
    tidy(notebook)
    return stock, list(pages(notebook, course_config()))


def test_the_pages_have_no_script_but_nbgraders_own(monkeypatch):
    stock, ours = stock_and_ours(monkeypatch)
    empty = list(pages(new_notebook(), course_config()))
    for before, page, nothing in zip(stock, ours, empty, strict=True):
        assert "cdnjs" in before and "cdnjs" not in page
        assert len(dangers(before)) > len(dangers(nothing)) + len(MARKDOWN) / 2
        assert dangers(page) == dangers(nothing)


def test_the_pages_show_formulas_and_load_nothing_from_the_net(monkeypatch):
    monkeypatch.chdir(ROOT)
    lab = ROOT / "labs/lab02_scaled_dot_product/lab02_scaled_dot_product.ipynb"
    read = [cell.source for cell in nbformat.read(lab, 4).cells if cell.cell_type == "markdown"]
    for page in pages(new_notebook(cells=list(map(new_markdown_cell, read))), course_config()):
        soup = BeautifulSoup(page, "html.parser")
        assert soup("math")
        sources = [each.get("src") or each.get("href") or "" for each in soup(["script", "img", "link", "iframe"])]
        assert [each for each in sources if re.match("(https?:)?//", each)] == []
        assert "MathJax.js" not in page


def test_formgraders_script_finds_a_mathjax_that_is_ready(monkeypatch):
    """Without one it stops half-way, and its keys do nothing."""
    monkeypatch.chdir(ROOT)
    feedback, formgrade = pages(new_notebook(), course_config())
    assert "var MathJax" in formgrade and "MathJax" not in feedback
