"""The project of `docs/django.md`: made by `startproject`, with the lines of the page."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.documents import DOCUMENTS, example, read_examples
from tests.support.program import WebProgram
from tests.support.serving import clean_environment

__all__ = ["DOCUMENT", "SETTINGS", "make_shop", "manage", "serve_asgi", "serve_wsgi"]

(DOCUMENT,) = (file for file in DOCUMENTS if file.name == "django.md")

# What is added to the settings: for the login, and for Django's own user.
SETTINGS = [one.text for one in read_examples(DOCUMENT) if one.language == "py"]


def make_shop(folder: Path, urls: str, settings: str, environment: Mapping[str, str]) -> Path:
    """Return the folder of the project, with its tables.

    Args:
        urls: name of the page's example that is the project's `urls.py`.
        settings: added to those of `startproject`.
    """
    command = [sys.executable, "-m", "django", "startproject", "shop", str(folder)]
    subprocess.run(command, check=True, env=clean_environment())
    (folder / "shop" / "urls.py").write_text(example(urls, DOCUMENT).text)
    with (folder / "shop" / "settings.py").open("a") as file:
        file.write(f"\n{settings}")
    manage(folder, environment, "migrate", "--verbosity=0")
    return folder


def manage(folder: Path, environment: Mapping[str, str], *arguments: str) -> str:
    """Return what a command of `manage.py` says; it must succeed, and warns of nothing."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=folder,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def serve_wsgi(folder: Path, port: int, environment: Mapping[str, str]) -> WebProgram:
    """Return gunicorn with two workers."""
    arguments = ("--workers", "2", "--threads", "2")
    return WebProgram.gunicorn("shop.wsgi:application", folder, port, environment, *arguments)


def serve_asgi(folder: Path, port: int, environment: Mapping[str, str]) -> WebProgram:
    """Return uvicorn."""
    return WebProgram.uvicorn("shop.asgi:application", folder, port, environment)
