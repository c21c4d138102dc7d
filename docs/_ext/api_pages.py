"""The API reference: a page for each public name, written from `__all__`.

What a module gains appears by itself, and so do new modules.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path

import skdigits


def public_modules():
    names = [module.name for module in pkgutil.iter_modules(skdigits.__path__)]
    public = [f"skdigits.{name}" for name in names if not name.startswith("_")]
    modules = [importlib.import_module(name) for name in ["skdigits", *public]]
    return [module for module in modules if hasattr(module, "__all__")]


def heading(text, underline):
    return f"{text}\n{underline * len(text)}\n\n"


def page_of(module, name):
    item = getattr(module, name)
    if not inspect.isclass(item):
        directive, options = "autofunction", ""
    elif issubclass(item, Exception):
        directive, options = "autoexception", ""
    else:
        # By name, or the methods that scikit-learn makes for metadata routing come too.
        methods = ", ".join(public_methods(item))
        directive, options = "autoclass", f"   :members: {methods}\n" * bool(methods)
    path = f"{module.__name__}.{name}"
    return (
        heading(name, "=")
        + f".. currentmodule:: {module.__name__}\n\n"
        + f".. {directive}:: {name}\n{options}\n"
        + f".. minigallery:: {path}\n   :add-heading: Examples\n   :heading-level: -\n"
    )


def public_methods(item):
    for name, member in vars(item).items():
        function = inspect.unwrap(getattr(member, "__func__", member))
        is_method = inspect.isfunction(function) or isinstance(member, property)
        if is_method and not name.startswith("_"):
            yield name


def overview(modules):
    text = heading("API reference", "=")
    text += "Every public name, each with an example that runs.\n\n"
    pages = []
    for module in modules:
        summary = inspect.getdoc(module).partition("\n\n")[0]
        text += heading(module.__name__, "-") + f"{summary}\n\n"
        text += f".. currentmodule:: {module.__name__}\n\n"
        text += ".. autosummary::\n   :nosignatures:\n\n"
        # Classes come first, errors last.
        names = sorted(module.__all__, key=lambda name: (kind(module, name), name))
        text += "".join(f"   {name}\n" for name in names) + "\n"
        pages += [f"{module.__name__}.{name}" for name in names]
    text += ".. toctree::\n   :hidden:\n\n"
    return text + "".join(f"   {page}\n" for page in pages)


def kind(module, name):
    item = getattr(module, name)
    if not inspect.isclass(item):
        return 1
    return 2 if issubclass(item, Exception) else 0


def write(path, text):
    # A page that stays as it was is not built again.
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def write_pages(app):
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    modules = public_modules()
    texts = {"index": overview(modules)}
    for module in modules:
        for name in module.__all__:
            texts[f"{module.__name__}.{name}"] = page_of(module, name)
    for old in folder.glob("*.rst"):
        if old.stem not in texts:
            old.unlink()
    for name, text in texts.items():
        write(folder / f"{name}.rst", text)


def setup(app):
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
