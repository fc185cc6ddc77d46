"""README and docs: every Python example is typed, every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import DOCUMENTS, ROOT, read_examples

PYTHON = [one for file in DOCUMENTS for one in read_examples(file) if one.language == "python"]
MOST_LINES_OF_A_LOGIN = 10


def test_every_python_example_says_which_file_it_is() -> None:
    assert PYTHON
    assert [one.text.splitlines()[0] for one in PYTHON if not one.name] == []


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["mypy", "--strict", "--python-version", "3.11"], id="mypy"),
        pytest.param(["pyright", "--pythonpath", sys.executable], id="pyright"),
    ],
)
def test_every_python_example_is_typed(command: list[str], tmp_path: Path) -> None:
    # All in one run, which is why no two of them may have one name.
    files = {str(one.write(tmp_path)) for one in PYTHON}
    assert len(files) == len(PYTHON)
    done = subprocess.run(
        [sys.executable, "-m", *command, *sorted(files)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_a_login_for_flask_takes_ten_lines() -> None:
    (source,) = (one.text for one in PYTHON if one.name == "app.py")
    code = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
    assert len([line for line in code if "import" not in line]) <= MOST_LINES_OF_A_LOGIN


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_that_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text)]
    inside = [target for target in targets if target and "://" not in target]
    assert [target for target in inside if not (document.parent / target).exists()] == []


def test_the_commands_of_the_front_door_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for script in re.findall(r"scripts/\w+", text):
        assert (ROOT / script).stat().st_mode & 0o111, script
