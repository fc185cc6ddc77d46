"""Another process of an application: opens a sealed login and finishes it.

Run with `-m`; reads a JSON object from stdin and prints one to stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from codegrant import AsyncClient, Client, CodegrantError, KeyRing, PendingLogin, Tokens


def finish(given: dict[str, Any]) -> Tokens:
    login = PendingLogin.open(given["sealed"], KeyRing([given["key"]]))
    server, arguments = given["server"], given["client"]
    if not given["is_async"]:
        with Client(server, **arguments) as client:
            return client.finish_login(given["callback_url"], login)

    async def finish_async() -> Tokens:
        async with AsyncClient(server, **arguments) as client:
            return await client.finish_login(given["callback_url"], login)

    return asyncio.run(finish_async())


def main() -> None:
    given = json.load(sys.stdin)
    try:
        tokens = finish(given)
    except CodegrantError as error:
        json.dump({"refused": type(error).__name__, "code": error.code}, sys.stdout)
    else:
        sealed = tokens.seal(KeyRing([given["key"]]))
        json.dump({"subject": tokens.claims["sub"], "sealed_tokens": sealed}, sys.stdout)


if __name__ == "__main__":
    main()
