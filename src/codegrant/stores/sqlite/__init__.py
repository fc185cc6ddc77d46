"""The store in one SQLite file, or in memory, over the standard library's `sqlite3`.

`SqliteStore` is all that others need. `writer` has the one thread that writes and groups
commits, `connection` opens files and tells their errors apart, `migration` brings a
database to the program's schema.
"""

from codegrant.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
