"""The command itself: its subcommands by name, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

import click

from codegrant import __version__
from codegrant.cli.output import fail
from codegrant.errors import CodegrantError

__all__ = ["run"]


class _Subcommand(NamedTuple):
    """Where a subcommand lives, and what the help says without importing it."""

    module: str
    help: str


_SUBCOMMANDS: Mapping[str, _Subcommand] = {
    "demo": _Subcommand("codegrant.cli.demo", "Run the three parties of a login on this machine."),
    "serve": _Subcommand("codegrant.cli.serve", "Run the authorization server."),
    "users": _Subcommand("codegrant.cli.users", "Add and change people."),
    "clients": _Subcommand("codegrant.cli.clients", "Add and change clients."),
    "resources": _Subcommand("codegrant.cli.resources", "Add and change resource servers."),
    "keys": _Subcommand("codegrant.cli.keys", "List and rotate the signing keys."),
    "db": _Subcommand("codegrant.cli.db", "Upgrade and check the database."),
    "config": _Subcommand("codegrant.cli.config", "Check a configuration file."),
}


class _LazyGroup(click.Group):
    """A group whose subcommands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        subcommand = _SUBCOMMANDS.get(cmd_name)
        if subcommand is None:
            return None
        command: click.Command = import_module(subcommand.module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in _SUBCOMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="codegrant %(version)s")
def codegrant() -> None:
    """OAuth 2.1 and OpenID Connect: an authorization server, and its administration."""


def run(arguments: Sequence[str]) -> int:
    """Run the command with `arguments` and return its exit status."""
    try:
        status = codegrant.main(list(arguments), prog_name="codegrant", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.UsageError as error:
        return fail(_usage(error), status=2)
    except click.ClickException as error:
        return fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return fail("interrupted", status=130)
    except CodegrantError as error:
        return fail(f"{error.message} ({error.hint})" if error.hint else error.message)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not try again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:  # noqa: BLE001 - nobody wants to read a traceback
        from codegrant.web.failures import trail_of

        return fail(f"this is a mistake in Codegrant, please report it: {trail_of(error)}")
    return status if isinstance(status, int) else 0


def _usage(error: click.UsageError) -> str:
    """Return what was wrong with the arguments, and where to read more, in one line."""
    message = " ".join(error.format_message().split()).rstrip(".")
    path = error.ctx.command_path if error.ctx else "codegrant"
    return f"{message[:1].lower()}{message[1:]} (see {path} --help)"
