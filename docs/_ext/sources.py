"""Where viewcode finds the source of a public name.

Public names have the address of their package as `__module__`, and are defined in its
private modules.
"""

import sys

from sphinx.pycode import ModuleAnalyzer


def defining_module(app, package, name):
    """Return the name of the module in which a name is defined, or None."""
    first = name.partition(".")[0]
    item = getattr(sys.modules[package], first)
    for candidate, module in list(sys.modules.items()):
        if candidate.startswith("skdigits") and vars(module).get(first) is item:
            analyzer = ModuleAnalyzer.for_module(candidate)
            analyzer.find_tags()
            if name in analyzer.tags:
                return candidate
    return None


def setup(app):
    app.connect("viewcode-follow-imported", defining_module)
    return {"parallel_read_safe": True}
