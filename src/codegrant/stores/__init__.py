"""Persistence of every role: each effect of a role's store, performed in one atomic step.

`operations/` says what each effect means, as flows over SQL statements inside one
transaction; `sql/` has the statements, `migrations/` the schema, `translation` turns rows
into records and back. `sqlite/` runs them on the standard library's `sqlite3`. Secrets
arrive here as digests or sealed, and neither they nor any other parameter is ever part of
SQL text, a log line or an error.
"""
