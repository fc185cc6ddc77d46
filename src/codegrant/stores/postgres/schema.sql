-- The tables of the client role, as in `migrations/0001.sql`, where the rest of a store is.

-- name: count_tables
SELECT COUNT(*) FROM pg_tables
WHERE schemaname = :schema AND tablename IN ('logins', 'callbacks', 'leases');

-- Of several processes at once one makes the tables.
-- name: lock
SELECT pg_advisory_xact_lock(1130852462);

-- name: find_schema
SELECT 1 FROM pg_namespace WHERE nspname = :schema;

-- name: make_logins
CREATE TABLE IF NOT EXISTS logins (
    digest BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    sealed TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    person BYTEA NOT NULL CHECK (length(person) IN (0, 32)),
    provider_session BYTEA NOT NULL CHECK (length(provider_session) IN (0, 32))
);

-- name: index_logins_by_expiry
CREATE INDEX IF NOT EXISTS logins_by_expiry ON logins (expires_at);

-- name: index_logins_by_person
CREATE INDEX IF NOT EXISTS logins_by_person ON logins (person);

-- name: index_logins_by_provider_session
CREATE INDEX IF NOT EXISTS logins_by_provider_session ON logins (provider_session);

-- name: make_callbacks
CREATE TABLE IF NOT EXISTS callbacks (
    login_digest BYTEA NOT NULL PRIMARY KEY CHECK (length(login_digest) = 32),
    expires_at BIGINT NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1)),
    sealed_answer TEXT NOT NULL DEFAULT '',
    answer_until BIGINT NOT NULL DEFAULT 0
);

-- name: index_callbacks_by_expiry
CREATE INDEX IF NOT EXISTS callbacks_by_expiry ON callbacks (expires_at);

-- name: make_leases
CREATE TABLE IF NOT EXISTS leases (
    digest BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    owner BYTEA NOT NULL CHECK (length(owner) = 16),
    expires_at BIGINT NOT NULL
);

-- name: index_leases_by_expiry
CREATE INDEX IF NOT EXISTS leases_by_expiry ON leases (expires_at);
