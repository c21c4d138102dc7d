"""Check the wording of docstrings, messages and pages: a part of `make lint`.

Code is left out: blocks, and words in backquotes.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

# A pattern, and what to write instead. Patterns ignore case and line breaks.
RULES = {
    r"(?<!there\s)\b(is|are) no (?!longer|more|less)": '"is not a" or "has no"',
    r"\ban? \w+ (an? \w+|each\b)": '"one row per image"',
    r"\banew\b": '"again"',
    r"\bbeside\b": '"compared with" or "next to"',
    r"\bgo(es|ing)? on (with|where|from|after)\b": '"resume" or "continue"',
    r"\bheed(s|ed|ing)?\b": '"applies", "uses"',
    r"\bby heart\b": '"overfits", "memorizes"',
    r"\bphotos?\b|\bpictures?\b": '"image"',
    r"\breference job\b": '"the defaults", "the 25-15 network"',
    r"\btake[ns]? down\b": '"normalised"',
    r"\b(is|are|be) told\b|\btold from\b": '"is notified", "is distinguished"',
    r"\btrainings\b": '"training runs", "fits"',
}
# Of 1000 words of the package's docstrings.
MAX_WHAT = 1


def docstrings(path):
    """Yield the line and the text of each docstring of a module."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, documented) and ast.get_docstring(node):
            yield node.body[0].lineno, node.body[0].value.value


def strings(path):
    """Yield the line and the text of each string of a module, names left out."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        is_string = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_string and " " in node.value:
            yield node.lineno, node.value


def story(path):
    """Yield the text of an example: its docstring and its comments."""
    yield from docstrings(path)
    comments = [
        line.removeprefix("#") if line.startswith("#") else ""
        for line in path.read_text("utf-8").splitlines()
    ]
    yield 1, "\n".join(comments)


def page(path):
    """Yield the text of a page in Markdown."""
    yield 1, path.read_text("utf-8")


def without_code(text):
    """Put a word in place of blocks of code, doctests and literals."""
    for code in (r"```.*?```", r"^ *(>>>|\.\.\.) .*?$", r"`[^`\n]+`"):
        text = re.sub(
            code,
            lambda found: "code" + "\n" * found[0].count("\n"),
            text,
            flags=re.DOTALL | re.MULTILINE,
        )
    return text


def places(pattern, line, text):
    """Yield the line and the text of each match in a text that starts at a line."""
    pattern = pattern.replace(" ", r"\s+")
    for found in re.finditer(pattern, text, re.IGNORECASE):
        yield line + text.count("\n", 0, found.start()), " ".join(found[0].split())


def main():
    """Print each place with its rule; return 1 if there are any, else 0."""
    modules = sorted(ROOT.glob("skdigits/**/*.py"))
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/guide/*.md")]
    read = dict.fromkeys(modules, strings)
    read |= dict.fromkeys(sorted(ROOT.glob("examples/*/*.py")), story)
    read |= dict.fromkeys(sorted(pages), page)
    found = [
        (path, place, words, f"write {instead}")
        for path, read_texts in read.items()
        for line, text in read_texts(path)
        for pattern, instead in RULES.items()
        for place, words in places(pattern, line, without_code(text))
    ]
    n_words, what = 0, []
    for path in modules:
        for line, text in docstrings(path):
            text = without_code(text)
            n_words += len(text.split())
            what += [
                (path, place, words, "name the thing")
                for place, words in places(r"\bwhat\b", line, text)
            ]
    if len(what) > MAX_WHAT * n_words / 1000:
        found += what
    for path, line, words, rule in found:
        print(f'{path.relative_to(ROOT)}:{line}: "{words}": {rule}')
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
