"""The commands that README and docs show, one after the other, as their readers type them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.support.documents import DOCUMENTS, ROOT, read_examples
from tests.support.serving import codegrant


def commands(document: Path) -> list[list[str]]:
    """Return the arguments of each `codegrant` of a document that comes to an end by itself."""
    text = "\n".join(one.text for one in read_examples(document) if one.language == "sh")
    lines = text.replace("\\\n", " ").splitlines()
    typed = [shlex.split(line, comments=True) for line in lines if line.startswith("codegrant ")]
    return [words[1:] for words in typed if words[1] not in {"serve", "demo"}]


SHOWN = {document: found for document in DOCUMENTS if (found := commands(document))}


@pytest.mark.parametrize("document", SHOWN, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_commands_of_a_document_do_what_it_says(document: Path, tmp_path: Path) -> None:
    for arguments in SHOWN[document]:
        stdin = "wonderland\n" if "--password-stdin" in arguments else ""
        done = codegrant(*arguments, folder=tmp_path, stdin=stdin)
        assert done.status == 0, (arguments, done.stderr)


def test_a_command_that_is_not_there_would_be_found(tmp_path: Path) -> None:
    assert len(SHOWN) > 3
    assert codegrant("clients", "addd", "app", folder=tmp_path).status == 2
    assert codegrant("clients", "add", "app", "--grants", "x", folder=tmp_path).status == 2
