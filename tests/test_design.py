"""What docs/design.md promises of the modules themselves."""

import ast
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


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


GRAPH = {
    module: set(imports(ast.parse(path.read_text("utf-8"))))
    for module, path in MODULES.items()
}


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


# From the top. A module imports from its own layer and from those below. Private ones
# have to be named; what is in a package, such as `skdigits.images`, has its layer.
LAYERS = [
    {"__main__", "_command_line"},
    {"public modules that are not named below"},
    {"_classifier"},
    {"_keras_models", "_saved", "_sklearn_callbacks"}
    | {"_stack_training", "_stacking", "_training"},
    {"_course", "_feeding", "_job", "_packing", "_program", "_program_cache"}
    | {"_shared_function", "_stack"},
    {"_validation", "augmentation"},
    {"_distortion", "_forward", "_mnist_files", "_network", "_optimizer"}
    | {"_schedule", "_tensorflow", "_version", "_weights"},
]


def layer(module):
    name = module.removeprefix("skdigits.").partition(".")[0]
    for number, names in enumerate(LAYERS):
        if name in names:
            return number
    assert not name.startswith("_"), f"name the layer of {name} in LAYERS"
    return 1


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    ours = GRAPH[module] & MODULES.keys()
    assert not [other for other in ours if layer(other) < layer(module)]


def test_no_module_imports_from_the_root_of_the_package():
    assert not [module for module in MODULES if "skdigits" in GRAPH[module]]


def test_only_what_needs_an_estimator_imports_the_classifier():
    users = {m for m in MODULES if "skdigits._classifier" in GRAPH[m]}
    assert users == {
        "skdigits",
        "skdigits.export",
        "skdigits.model_selection",
        "skdigits.pretrained._digit_reader",
    }


def test_forward_imports_numpy_only():
    assert GRAPH["skdigits._forward"] == {"numpy"}


@pytest.mark.parametrize("module", MODULES)
def test_heavy_and_optional_packages_are_imported_inside_functions_only(module):
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    outside = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    outside = [node for node in outside if not isinstance(node, ast.ClassDef)]
    names = {name.partition(".")[0] for node in outside for name in imports(node)}
    optional = {"PIL", "keras", "matplotlib", "onnx", "skl2onnx", "tensorflow"}
    assert not names & optional
