"""`codegrant demo`: the three parties of a login on this machine."""

from __future__ import annotations

import logging

import click

from codegrant.cli.extras import check_extra

__all__ = ["command"]


@click.command("demo")
@click.option("--headless", is_flag=True, help="Play the browser as well, and print the steps.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="N",
    help="Of the application: 8400 or the next free one by default, 0 for any.",
)
def command(*, headless: bool, port: int | None) -> int:
    """Run authorization server, application and API, and log in as alice / wonderland."""
    check_extra("demo", "flask", "requests", "uvicorn", "httptools", "jinja2")
    from codegrant.cli.logs import log_to_stderr
    from codegrant.demo.command import run

    log_to_stderr(logging.WARNING)
    return run(headless, port)
