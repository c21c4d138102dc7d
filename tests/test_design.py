"""What docs/design.md promises of the modules themselves."""

import ast
import sys
from pathlib import Path

import pytest

import skdigits

PACKAGE = Path(skdigits.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for path in PACKAGE.rglob("*.py")
}


def parse(path):
    """Syntax tree of a module, without imports that type checkers alone run."""
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return tree


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


GRAPH = {module: set(imports(parse(path))) for module, path in MODULES.items()}


def test_imports_have_no_cycles():
    done = set()

    def visit(module, trail):
        assert module not in trail, f"cycle: {[*trail, module]}"
        if module not in done:
            for other in sorted(GRAPH[module] & MODULES.keys()):
                visit(other, [*trail, module])
            done.add(module)

    for module in MODULES:
        visit(module, [])


# A module imports from its own folder and from those further down.
FOLDERS = [
    "__main__",
    "_commands",
    "export",
    "plotting",
    "datasets",
    "images",
    "pretrained",
    "_recipe",
    "_classifier",
    "_keras_names",
    "_fitting",
    "_together",
    "_training",
    "_keras",
    "_persistence",
    "_validation",
    "augmentation",
    "_sklearn_compat",
    "_random",
    "_network",
    "_version",
]


def folder_of(module):
    return module.removeprefix("skdigits.").partition(".")[0]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"skdigits"}))
def test_imports_go_down(module):
    allowed = FOLDERS[FOLDERS.index(folder_of(module)) :]
    ours = GRAPH[module] & MODULES.keys()
    assert {folder_of(other) for other in ours} <= set(allowed)


def test_no_module_imports_from_the_root_of_the_package():
    assert not [module for module in MODULES if "skdigits" in GRAPH[module]]


def external(folder):
    modules = [module for module in MODULES if folder_of(module) == folder]
    names = {name.partition(".")[0] for module in modules for name in GRAPH[module]}
    return names - sys.stdlib_module_names - {"skdigits"}


def test_network_needs_numpy_only():
    assert external("_network") == {"numpy"}


def test_only_the_keras_folder_imports_keras():
    users = {f for f in FOLDERS if external(f) & {"keras", "tensorflow"}}
    assert users <= {"_keras"}


def test_private_names_of_scikit_learn_are_in_one_module():
    private = {
        module
        for module, names in GRAPH.items()
        if any(n.startswith("sklearn.") and "._" in n for n in names)
    }
    assert private <= {"skdigits._sklearn_compat"}


@pytest.mark.parametrize("module", MODULES)
def test_heavy_and_optional_packages_are_imported_inside_functions_only(module):
    tree = parse(MODULES[module])
    outside = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    outside = [node for node in outside if not isinstance(node, ast.ClassDef)]
    names = {name.partition(".")[0] for node in outside for name in imports(node)}
    optional = {"PIL", "keras", "matplotlib", "onnx", "skl2onnx", "tensorflow"}
    assert not names & optional


def test_subpackages_are_attributes_that_dir_lists():
    for name in dir(skdigits):
        assert getattr(skdigits, name) is not None
    assert {"DigitMLPClassifier", "fit_together", "images"} <= set(dir(skdigits))
    with pytest.raises(AttributeError, match="'nonsense'"):
        skdigits.nonsense  # noqa: B018
