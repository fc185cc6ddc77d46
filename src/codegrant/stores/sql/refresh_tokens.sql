-- Refresh tokens and their rotation.

-- name: find_refresh_token
SELECT
    refresh_tokens.digest, refresh_tokens.grant_id, refresh_tokens.client_id,
    refresh_tokens.created_at, refresh_tokens.expires_at, refresh_tokens.ends_at,
    refresh_tokens.cnf, refresh_tokens.rotated_at
FROM refresh_tokens
JOIN grants ON grants.grant_id = refresh_tokens.grant_id
WHERE
    refresh_tokens.digest = :digest
    AND refresh_tokens.expires_at > :now
    AND grants.revoked_at IS NULL;

-- What a rotation is judged by; the successor's own rotation tells whether it has been used.
-- name: find_rotation
SELECT
    successors.rotated_at IS NOT NULL, refresh_tokens.sealed_successor,
    refresh_tokens.digest, refresh_tokens.grant_id, refresh_tokens.client_id,
    refresh_tokens.created_at, refresh_tokens.expires_at, refresh_tokens.ends_at,
    refresh_tokens.cnf, refresh_tokens.rotated_at,
    grants.grant_id, grants.client_id, grants.subject, grants.scope, grants.audience,
    grants.auth_time, grants.amr, grants.acr, grants.sid, grants.cnf, grants.created_at,
    grants.revoked_at
FROM refresh_tokens
JOIN grants ON grants.grant_id = refresh_tokens.grant_id
LEFT JOIN refresh_tokens AS successors ON successors.digest = refresh_tokens.successor_digest
WHERE refresh_tokens.digest = :digest;

-- name: find_family
SELECT
    grant_id, client_id, subject, scope, audience, auth_time, amr, acr, sid, cnf, created_at,
    revoked_at
FROM grants
WHERE family = :family AND family_until > :now;

-- The one success of a refresh token. From here on its row is of use for the grace alone.
-- name: rotate_refresh_token
UPDATE refresh_tokens
SET
    rotated_at = :now,
    expires_at = :forget_at,
    successor_digest = :successor_digest,
    sealed_successor = :sealed_successor
WHERE digest = :digest AND rotated_at IS NULL
RETURNING digest;
