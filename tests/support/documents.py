"""The examples of README and docs, taken out of the text as files that can be run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"# (\w+\.py)\n")


class Example(NamedTuple):
    """One block: `name` is what its first line says of a Python file, else empty."""

    document: str
    language: str
    name: str
    text: str

    def write(self, folder: Path) -> Path:
        """Return the file that holds the example in `folder`."""
        file = folder / self.name
        file.write_text(self.text, encoding="utf-8")
        return file


def read_examples(document: Path) -> list[Example]:
    """Return the blocks of a document, in order."""
    found: list[Example] = []
    for language, text in _BLOCK.findall(document.read_text(encoding="utf-8")):
        named = _NAME.match(text)
        name = named.group(1) if named else ""
        found.append(Example(document.relative_to(ROOT).as_posix(), language, name, text))
    return found


def example(name: str, document: Path = DOCUMENTS[0]) -> Example:
    """Return the one Python example with this file name."""
    (found,) = (one for one in read_examples(document) if one.name == name)
    return found


def shell_lines(start: str) -> list[str]:
    """Return the lines of README's one shell block that begins with `start`."""
    (found,) = (
        one.text
        for one in read_examples(DOCUMENTS[0])
        if one.language == "sh" and one.text.startswith(start)
    )
    return found.splitlines()
