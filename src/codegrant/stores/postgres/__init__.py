"""The token store of the client role in PostgreSQL, over psycopg 3.

`PostgresTokens` is all that others need. `connection` translates statements and errors and
sets time limits; `schema.sql` makes the tables.
"""

from codegrant.stores.postgres.tokens import PostgresTokens

__all__ = ["PostgresTokens"]
