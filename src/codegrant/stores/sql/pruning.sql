-- Expired rows, a few at a time.

-- name: prune_codes
DELETE FROM codes
WHERE digest IN (
    SELECT digest FROM codes WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_access_tokens
DELETE FROM access_tokens
WHERE digest IN (
    SELECT digest FROM access_tokens WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_refresh_tokens
DELETE FROM refresh_tokens
WHERE digest IN (
    SELECT digest FROM refresh_tokens WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_grants
DELETE FROM grants
WHERE grant_id IN (
    SELECT grant_id FROM grants WHERE keep_until <= :before ORDER BY keep_until LIMIT :limit
)
RETURNING 1;

-- Only here does what goes give something back its life, if the clock was ahead: a day of grace.
-- name: prune_denied_tokens
DELETE FROM denied_tokens
WHERE jti IN (
    SELECT jti FROM denied_tokens
    WHERE expires_at <= :before - 86400 ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_transactions
DELETE FROM transactions
WHERE serial IN (
    SELECT serial FROM transactions WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_sessions
DELETE FROM sessions
WHERE digest IN (
    SELECT digest FROM sessions WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_signing_keys
DELETE FROM signing_keys
WHERE kid IN (SELECT kid FROM signing_keys WHERE removes_at <= :before LIMIT :limit)
RETURNING 1;

-- name: prune_logins
DELETE FROM logins
WHERE digest IN (
    SELECT digest FROM logins WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_callbacks
DELETE FROM callbacks
WHERE login_digest IN (
    SELECT login_digest FROM callbacks
    WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;

-- name: prune_leases
DELETE FROM leases
WHERE digest IN (
    SELECT digest FROM leases WHERE expires_at <= :before ORDER BY expires_at LIMIT :limit
)
RETURNING 1;
