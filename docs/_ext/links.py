"""Links of pages that are read in two places, among the sources and on the site.

Among the sources, a page can only link to files. On the site, links to an example lead
to its page in the gallery, and names in code, like `RandomDistortion`, to the API. A
number and its percent sign stay on one line. Docstrings inherited from scikit-learn
refer to its pages; without a network, these references are left as text.
"""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import make_refnode

REWRITTEN = [
    (r"\]\((?:\.\./)+examples/(\w+/\w+)\.py\)", r"](/gallery/\1.rst)"),
    (r"\]\((?:\.\./)+examples/?\)", "](/gallery/index.rst)"),
    (r"\]\((?:\.\./)+CHANGES\.md\)", "](/changes.md)"),
    (r"\]\((?:\.\./)+CONTRIBUTING\.md\)", "](/contributing.md)"),
]


def rewrite(app, docname, content):
    if app.env.doc2path(docname).suffix == ".md":
        for pattern, replacement in REWRITTEN:
            content[0] = re.sub(pattern, replacement, content[0])


class LinkNamesInCode(SphinxPostTransform):
    """Inline code that is a public name, or a method of one, becomes a link to it."""

    default_priority = 5

    def run(self):
        names = self.names()
        for node in list(self.document.findall(nodes.literal)):
            name = names.get(node.astext().partition("(")[0])
            if name is None or isinstance(node.parent, nodes.reference):
                continue
            target = self.env.domains["py"].objects[name]
            if target.docname != self.env.current_document.docname:
                link = make_refnode(
                    self.app.builder,
                    self.env.current_document.docname,
                    target.docname,
                    target.node_id,
                    node.deepcopy(),
                    name,
                )
                node.replace_self(link)

    def names(self):
        """Full names by the words of pages: with the module, and without it."""
        names = {}
        for full, target in self.env.domains["py"].objects.items():
            # Each public name has a page, "api/skdigits.images.find_digits".
            module = target.docname.removeprefix("api/").rpartition(".")[0]
            names[full] = names[full.removeprefix(f"{module}.")] = full
        return names


class KeepPercentTogether(SphinxPostTransform):
    """The space between a number and its percent sign does not break."""

    default_priority = 5

    def run(self):
        for text in list(self.document.findall(nodes.Text)):
            joined = re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)
            if joined != text and not isinstance(text.parent, nodes.literal_block):
                text.parent.replace(text, nodes.Text(joined))


def leave_inherited_as_text(app, env, node, text):
    """Return the text of a reference of scikit-learn's to its own pages."""
    inherited = node["refdoc"].startswith("api/") and node["reftype"] in ("ref", "term")
    return text if inherited else None


def setup(app):
    app.connect("source-read", rewrite)
    app.connect("missing-reference", leave_inherited_as_text, priority=900)
    app.add_post_transform(LinkNamesInCode)
    app.add_post_transform(KeepPercentTogether)
    return {"parallel_read_safe": True}
