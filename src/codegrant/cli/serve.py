"""`codegrant serve`: the authorization server."""

from __future__ import annotations

from pathlib import Path

import click

from codegrant.cli.extras import check_extra
from codegrant.cli.options import config, settings_of

__all__ = ["command"]


@click.command("serve")
@config
@click.option("--host", metavar="H", help="Where to listen; 127.0.0.1 by default.")
@click.option("--port", metavar="N", help="8080 by default, 0 for any free one.")
@click.option("--issuer", metavar="URL", help="http://HOST:PORT by default.")
@click.option("--database", metavar="URL", help="sqlite:///codegrant.db by default.")
@click.option("--workers", metavar="N", help="Processes; 1 by default.")
@click.option("--tls-cert", metavar="FILE", help="A certificate chain as PEM.")
@click.option("--tls-key", metavar="FILE", help="Its key.")
@click.option("--ca", metavar="FILE", help="Certificates that outgoing requests trust as well.")
def command(*, config: Path | None, **flags: str | None) -> int:
    """Run the authorization server until SIGTERM or SIGINT."""
    check_extra("serve", "uvicorn", "httptools", "jinja2", extra="server")
    from codegrant.cli.service import serve

    return serve(settings_of(config, **flags))
