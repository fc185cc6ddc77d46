"""README and docs: every Python example is typed, every link leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from codegrant.messages.metadata import ServerMetadata
from codegrant.server.metadata import build_metadata
from codegrant.server.policy import Policy
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_part_of_a_document_that_a_link_names_is_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", document.read_text(encoding="utf-8")):
        path, _, part = target.partition("#")
        if "://" not in path:
            there = document.parent / path if path else document
            assert part in anchors(there), target


def anchors(document: Path) -> set[str]:
    """Return what a link may name of a document: its headings, as they are shown on the web."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


OURS = ServerMetadata.parse(build_metadata(Policy(issuer="https://issuer.test")))
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@pytest.mark.parametrize(
    ("page", "sentence", "is_there"),
    [
        pytest.param(page, sentence, is_there, id=sentence)
        for page, sentence, is_there in (
            (
                "client-authentication",
                "no keys of clients yet",
                "private_key_jwt" in OURS.token_endpoint_auth_methods_supported,
            ),
            (
                "authorization-requests",
                "has no such endpoint yet",
                bool(OURS.pushed_authorization_request_endpoint),
            ),
            (
                "authorization-requests",
                "no signed requests yet",
                OURS.request_parameter_supported is True,
            ),
            (
                "other-grants",
                "has no device grant yet",
                bool(OURS.device_authorization_endpoint),
            ),
            (
                "other-grants",
                "has no token exchange yet",
                EXCHANGE in OURS.grant_types_supported,
            ),
            ("logout", "has no logout endpoint", bool(OURS.end_session_endpoint)),
            ("form-post", "not with a form yet", "form_post" in OURS.response_modes_supported),
        )
    ],
)
def test_what_our_own_server_lacks_is_said_for_as_long_as_it_lacks_it(
    page: str, sentence: str, is_there: bool
) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert (sentence in text) is not is_there
