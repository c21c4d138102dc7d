"""Configuration of the documentation, which `make docs` builds with Sphinx."""

import importlib
import pkgutil
import sys
import urllib.request
from pathlib import Path

from numpydoc.xref import DEFAULT_LINKS

import skdigits

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

project = "skdigits"
author = copyright = "The skdigits developers"
version = release = skdigits.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    # Ours, in _ext.
    "draw_page",
    "links",
    "sources",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "literal"
highlight_language = "none"
myst_heading_anchors = 3
myst_html_meta = {
    "description": "Read handwritten digits in photographs and scans, and train "
    "networks that do, as scikit-learn estimators."
}

# Docstrings.
autodoc_member_order = "bysource"
# The sections of docstrings have the types. ArrayLike would be some lines of text.
autodoc_typehints = "none"
numpydoc_show_class_members = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

# The API reference: a table of the names in `__all__` of each public module, errors
# last. autosummary writes the page of each name, from _templates.

API = """API reference
=============

Every public name, each with an example that runs.
"""
MODULE = """
{name}
{underline}

.. automodule:: {name}

.. autosummary::
   :toctree: api
   :nosignatures:

   {names}
"""


def public_names():
    """The names in `__all__` of each public module."""
    folders = [name for _, name, _ in pkgutil.iter_modules(skdigits.__path__)]
    modules = ["skdigits", *(f"skdigits.{f}" for f in folders if f[0] != "_")]
    return {name: importlib.import_module(name).__all__ for name in modules}


def write_api_page():
    page, pages = API, set()
    for module, public in public_names().items():
        names = "\n   ".join(sorted(public, key=lambda name: name.endswith("Error")))
        page += MODULE.format(name=module, underline="-" * len(module), names=names)
        pages |= {f"{module}.{name}" for name in public}
    (HERE / "api.rst").write_text(page, "utf-8")
    for old in (HERE / "api").glob("*.rst"):
        if old.stem not in pages:
            old.unlink()


write_api_page()

# In docstrings, public types and errors become links. A dot searches for the full name.
# numpydoc's own links, as of "int", would look like code where there is no network.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # other words
numpydoc_xref_aliases = {name: name for name in DEFAULT_LINKS} | {
    written: f".{module}.{name}"
    for module, public in public_names().items()
    for name in public
    for written in (name, f"{module}.{name}")
}
numpydoc_xref_aliases |= {
    name: f":exc:`{name} <{name}>`"
    for name in (
        "ImportError",
        "OSError",
        "RuntimeError",
        "TypeError",
        "ValueError",
    )
}

# Code is copied without prompts and output.
copybutton_exclude = ".linenos, .gp, .go"

# Examples. A name stands for the function in _ext, so that Sphinx can compare the
# configuration with that of the last build.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("skdigits",),
    "subsection_order": [
        f"../examples/{folder}" for folder in ("reading", "training", "programs")
    ],
    "within_subsection_order": "gallery.place",
    "capture_repr": (),
    "default_thumb_file": str(HERE / "_static/favicon.svg"),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "show_signature": False,
    "min_reported_time": 3600,  # seconds: the time depends on the machine
    "write_computation_times": False,
}


# Other projects' names become links where their inventories can be had. Offline, the
# site is the same without these links.


def inventories(projects):
    folder = HERE / "_build" / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, url in projects.items():
        file = folder / f"{name}.inv"
        if not file.exists():
            try:
                with urllib.request.urlopen(f"{url}objects.inv", timeout=5) as answer:
                    file.write_bytes(answer.read())
            except OSError:
                continue
        found[name] = (url, str(file))
    return found


intersphinx_mapping = inventories(
    {
        "joblib": "https://joblib.readthedocs.io/en/stable/",
        "matplotlib": "https://matplotlib.org/stable/",
        "numpy": "https://numpy.org/doc/stable/",
        "python": "https://docs.python.org/3/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "sklearn": "https://scikit-learn.org/stable/",
    }
)

# The site. Nothing in a page comes from elsewhere: it works offline and from a folder.
html_theme = "pydata_sphinx_theme"
html_title = "skdigits"
# Light or dark as the visitor's system is.
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_copy_source = False
# Pages without other pages below them have no list of these.
html_sidebars = {
    page: []
    for page in (
        "index",
        "install",
        "draw",
        "coming-from",
        "benchmarks",
        "design",
        "changes",
        "contributing",
        "genindex",
        "search",
    )
}
html_theme_options = {
    "logo": {
        "text": "skdigits",
        "image_light": "_static/favicon.svg",
        "image_dark": "_static/favicon.svg",
    },
    "icon_links": [
        {
            "name": "Source and issues on GitHub",
            "url": "https://github.com/skdigits/skdigits",
            "icon": "fa-brands fa-github",
        }
    ],
    "navbar_end": ["theme-switcher", "navbar-icon-links"],
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
