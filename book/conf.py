"""Sphinx's settings for the course's site. `python -m book.build` uses them; see there."""

from pathlib import Path

from tools.badges import launch_links

project = "Attention, by hand"
language = "en"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "book.alternatives",
    "book.docstrings",
    "book.first_use",
    "book.formulas",
    "book.front_page",
    "book.lighter",
    "book.long_names",
    "book.mistakes",
    "book.predictions",
]

# The notebooks' stored outputs are shown as they are: nothing is run.
nb_execution_mode = "off"
nb_merge_streams = True  # what a cell prints in several goes is one block
nb_code_prompt_show, nb_code_prompt_hide = "Show the code", "Hide the code"
# The notebooks store no widgets, and the default would load these scripts from the net.
nb_ipywidgets_js: dict[str, dict] = {}

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 4

html_math_renderer = "mathml"  # book.formulas

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["site.css"]
html_js_files = ["enlarge.js"]
html_favicon = "static/favicon.svg"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_copy_source = False
html_show_sourcelink = False
html_use_index = False
html_domain_indices = False
html_sidebars: dict[str, list[str]] = {"index": [], "glossary": []}
html_theme_options = {
    "logo": {"text": project},
    "navbar_end": ["theme-switcher", "navbar-icon-links"],
    "footer_start": [],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 1,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    # Where the course opens, if pyproject.toml has an address. A notebook's own buttons are in its first cell.
    "icon_links": [
        {"name": f"Open the course in {where}", "url": link, "icon": f"fa-solid {icon}"}
        for (where, link), icon in zip(
            launch_links(Path(__file__).parents[1]).items(), ("fa-play", "fa-cloud", "fa-laptop-code"), strict=False
        )
    ],
}

# The API is what the docstrings say. No source is shown: it holds what the labs ask for.
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
