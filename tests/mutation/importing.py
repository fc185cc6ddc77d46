"""Imports the package with a switch at every refusal of some of its folders."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

from tests.mutation.points import Point, instrument

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Switched"]


class _Loader(SourceFileLoader):
    """Compiles the switched tree of one module, and no file with it."""

    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class Switched(MetaPathFinder):
    """Finds the modules below some folders of `package`, switched.

    Args:
        package: the folder of the package, called as the package is.
        folders: names below it.
    """

    def __init__(self, package: Path, folders: Sequence[str]) -> None:
        self.points: list[Point] = []
        self._codes: dict[str, CodeType] = {}
        for folder in folders:
            for file in sorted((package / folder).rglob("*.py")):
                self._read(package, file)

    def install(self) -> None:
        """Make the imports from now on find the switched modules."""
        loaded = sorted(set(self._codes) & set(sys.modules))
        if loaded:
            raise RuntimeError(f"imported already: {', '.join(loaded)}")
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        code = self._codes.get(fullname)
        if code is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            return None
        spec.loader = _Loader(fullname, spec.origin, code)
        return spec

    def _read(self, package: Path, file: Path) -> None:
        below = file.relative_to(package)
        first = self.points[-1].number + 1 if self.points else 1
        tree, points = instrument(file.read_text("utf-8"), str(below), first)
        self.points += points
        parts = [package.name, *below.with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        self._codes[name] = compile(tree, str(file), "exec", dont_inherit=True)
