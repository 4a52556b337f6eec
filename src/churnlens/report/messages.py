"""What is there to translate, and is it translated; keeps the gettext catalogues up to date.

After a sentence was added or changed anywhere, run

    uv run python -m churnlens.report.messages

which gathers every `Text` of the package, every string of the report's templates and every
remedy of the catalogue into ``report/locale/*/LC_MESSAGES/churnlens.po``. Translations are kept,
new sentences stand with an empty ``msgstr`` until one is written; a test fails until then.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from babel.messages import pofile
from babel.messages.catalog import Catalog
from jinja2.ext import babel_extract

PACKAGE = Path(__file__).parents[1]
LOCALE = Path(__file__).parent / "locale"
TRANSLATED = ("zh",)

_HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def messages(package: Path = PACKAGE) -> Iterator[tuple[str, str]]:
    """Yield every sentence to translate with the place where it stands (file:line)."""
    for path in sorted(package.rglob("*.py")):
        yield from _in_python(path, package)
    for path in sorted((package / "report" / "templates").glob("*.html")):
        yield from _in_template(path, package)
    catalogue = package / "issues" / "remedies.toml"
    for family in tomllib.loads(catalogue.read_text(encoding="utf-8")).values():
        for key in ("more", "less", "actions"):
            for action in family.get(key, ()):
                yield action, str(catalogue.relative_to(package))


def unreadable(package: Path = PACKAGE) -> list[str]:
    """Return the places where a `Text` is made from something that cannot be looked up here."""
    return [
        f"{path.relative_to(package)}:{call.lineno}"
        for path in sorted(package.rglob("*.py"))
        for tree in [ast.parse(path.read_text(encoding="utf-8"))]
        for call in _texts(tree)
        if not _templates(call, tree)
    ]


def _in_python(path: Path, package: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for call in _texts(tree):
        for template in _templates(call, tree):
            yield template, f"{path.relative_to(package)}:{call.lineno}"


def _texts(tree: ast.Module) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "Text"
        and (node.args or any(k.arg == "template" for k in node.keywords))
    ]


def _templates(call: ast.Call, tree: ast.Module) -> list[str]:
    """Return the strings that a call's template may be: written there, or in a named constant."""
    given = call.args[0] if call.args else next(k.value for k in call.keywords)
    written = _strings(given)
    if written:
        return written
    names = {node.id for node in ast.walk(given) if isinstance(node, ast.Name)}
    return [
        string
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id in names
        for string in _strings(node.value)
    ]


def _strings(node: ast.AST) -> list[str]:
    """Return the string constants of an expression; keys of mappings and subscripts are no text."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Dict):
        return [string for value in node.values for string in _strings(value)]
    if isinstance(node, ast.Subscript):
        return _strings(node.value)
    if isinstance(node, ast.IfExp):
        return _strings(node.body) + _strings(node.orelse)
    if isinstance(node, ast.Call):
        return [string for argument in node.args[:1] for string in _strings(argument)]
    return [string for child in ast.iter_child_nodes(node) for string in _strings(child)]


def _in_template(path: Path, package: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        found = babel_extract(file, ("_", "gettext", "ngettext"), (), {"silent": "false"})
        for line, _, message, _ in found:
            texts = (message,) if isinstance(message, str) else message or ()
            yield next(t for t in texts if t), f"{path.relative_to(package)}:{line}"


def update(language: str, package: Path = PACKAGE) -> tuple[int, int]:
    """Rewrite a language's catalogue; return how many sentences there are, and how many lack."""
    path = LOCALE / language / "LC_MESSAGES" / "churnlens.po"
    with path.open("rb") as file:
        known = {_singular(m.id): _singular(m.string) for m in pofile.read_po(file) if m.id}
    fresh = Catalog(locale=language)
    for text, place in messages(package):
        fresh.add(text, known.get(text, ""), locations=[(place.split(":")[0], 0)])
    with path.open("wb") as file:
        file.write(_HEADER.format(language=language).encode())
        pofile.write_po(
            file, fresh, width=100, sort_output=True, include_lineno=False, omit_header=True
        )
    entries = [m for m in fresh if m.id]
    return len(entries), sum(not m.string for m in entries)


def _singular(message: str | list[str] | tuple[str, ...]) -> str:
    return message if isinstance(message, str) else message[0]


if __name__ == "__main__":
    for name in TRANSLATED:
        total, lacking = update(name)
        print(f"{name}: {total} sentences, {lacking} without a translation")
