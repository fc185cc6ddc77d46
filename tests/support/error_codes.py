"""The codes of our errors and the modules that raise them, read from the syntax trees."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import codegrant
from codegrant import errors
from codegrant.errors import CodegrantError
from codegrant.rules.entra_causes import _BY_NUMBER
from codegrant.rules.known_causes import _CAUSES

SRC = Path(codegrant.__file__).parent
# The roles whose errors a program meets that uses this package; a server's operator meets
# those of the other folders as one line of a command.
FOLDERS = (
    "", "messages", "jose", "providers", "rules", "remote", "client", "resource", "stores", "web",
)  # fmt: skip
_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, CodegrantError)
}
# Codes that are put together: what stands in the module, and what comes of it.
_MADE = {"rules.id_token": ("at_hash_mismatch", "c_hash_mismatch", "s_hash_mismatch")}


def find_codes() -> Mapping[str, set[str]]:
    """Return each code and the modules in which it stands."""
    trees = dict(_parse())
    places = _code_arguments(trees)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module, tree in trees.items():
        for node in ast.walk(tree):
            for code in _codes_of(node, places):
                found[code].add(f"codegrant.{module}".removesuffix(".__init__"))
        for code in _MADE.get(module, ()):
            found[code].add(f"codegrant.{module}")
    for cause in _CAUSES:
        if cause.code:
            found[cause.code].add("codegrant.rules.known_causes")
    for code, _ in _BY_NUMBER.values():
        found[code].add("codegrant.rules.entra_causes")
    for kind in CLASSES.values():
        found[kind.default_code].add("codegrant.errors")
    for code in errors._WIRE:
        found[code].add("codegrant.rules.answers")
    return found


def _parse() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(SRC.rglob("*.py")):
        path = file.relative_to(SRC)
        folder = path.parts[0] if len(path.parts) > 1 else ""
        if folder in FOLDERS:
            yield ".".join(path.with_suffix("").parts), ast.parse(file.read_text("utf-8"))


def _code_arguments(trees: Mapping[str, ast.Module]) -> Mapping[str, int]:
    """Return the position of the argument `code` of each function that has one."""
    places: dict[str, int] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names = [argument.arg for argument in node.args.args]
                if "code" in names:
                    places[node.name] = names.index("code")
    return places


def _codes_of(node: ast.AST, places: Mapping[str, int]) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef):
        named = zip(node.args.args[::-1], node.args.defaults[::-1], strict=False)
        for argument, default in [
            *named, *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
        ]:  # fmt: skip
            if argument.arg == "code":
                yield from _text(default)
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code":
        yield from _text(node.value)
    if not isinstance(node, ast.Call):
        return
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    for keyword in node.keywords:
        if keyword.arg == "code":
            yield from _text(keyword.value)
    if name in places and len(node.args) > places[name]:
        yield from _text(node.args[places[name]])
    kind = CLASSES.get(name)
    if kind is None or any(keyword.arg == "code" for keyword in node.keywords):
        return
    if issubclass(kind, errors.Refused | errors.OAuthError):
        yield from _text(node.args[0] if node.args else None)
    else:
        yield kind.default_code


def _text(node: ast.AST | None) -> Iterator[str]:
    """Yield the texts of an expression that are codes: one, or the two of a condition."""
    if isinstance(node, ast.IfExp):
        yield from _text(node.body)
        yield from _text(node.orelse)
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _CODE.fullmatch(node.value)
    ):
        yield node.value
