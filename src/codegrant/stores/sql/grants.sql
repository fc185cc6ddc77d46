-- Grants and what hangs on them: codes, opaque access tokens, the deny list.

-- A person whose account is here is logged in for as long as the session is: what is decided
-- for somebody who was logged out meanwhile, or whose password is another now, is void.
-- name: find_ended_session
SELECT subject
FROM accounts
WHERE subject = :subject AND NOT EXISTS (SELECT 1 FROM sessions WHERE sid = :sid);

-- name: save_grant
INSERT INTO grants (
    grant_id, client_id, subject, scope, audience, auth_time, amr, acr, sid, cnf, created_at,
    revoked_at, keep_until
)
VALUES (
    :grant_id, :client_id, :subject, :scope, :audience, :auth_time, :amr, :acr, :sid, :cnf,
    :created_at, :revoked_at, :keep_until
);

-- name: find_grant
SELECT
    grant_id, client_id, subject, scope, audience, auth_time, amr, acr, sid, cnf, created_at,
    revoked_at
FROM grants
WHERE grant_id = :grant_id;

-- name: keep_grant
UPDATE grants
SET keep_until = :keep_until
WHERE grant_id = :grant_id AND keep_until < :keep_until;

-- name: revoke_grant
UPDATE grants
SET revoked_at = :now
WHERE grant_id = :grant_id AND revoked_at IS NULL
RETURNING
    grant_id, client_id, subject, scope, audience, auth_time, amr, acr, sid, cnf, created_at,
    revoked_at;

-- name: save_code
INSERT INTO codes (
    digest, grant_id, client_id, redirect_uri, redirect_uri_sent, code_challenge, nonce,
    requested_scope, created_at, expires_at, claims, auth_time_requested, offline, cnf
)
VALUES (
    :digest, :grant_id, :client_id, :redirect_uri, :redirect_uri_sent, :code_challenge, :nonce,
    :requested_scope, :created_at, :expires_at, :claims, :auth_time_requested, :offline, :cnf
);

-- name: find_code
SELECT
    codes.failures, codes.consumed_at,
    codes.digest, codes.grant_id, codes.client_id, codes.redirect_uri, codes.redirect_uri_sent,
    codes.code_challenge, codes.nonce, codes.requested_scope, codes.created_at,
    codes.expires_at, codes.claims, codes.auth_time_requested, codes.offline, codes.cnf,
    grants.grant_id, grants.client_id, grants.subject, grants.scope, grants.audience,
    grants.auth_time, grants.amr, grants.acr, grants.sid, grants.cnf, grants.created_at,
    grants.revoked_at
FROM codes
JOIN grants ON grants.grant_id = codes.grant_id
WHERE codes.digest = :digest;

-- name: count_wrong_verifier
UPDATE codes
SET failures = failures + 1
WHERE digest = :digest AND failures < :max_failures
RETURNING failures;

-- The one success of a code.
-- name: consume_code
UPDATE codes
SET consumed_at = :now
WHERE digest = :digest AND consumed_at IS NULL
RETURNING digest;

-- name: begin_family
UPDATE grants SET family = :family WHERE grant_id = :grant_id;

-- name: keep_family
UPDATE grants
SET
    family_until = :expires_at,
    keep_until = CASE WHEN keep_until < :keep_until THEN :keep_until ELSE keep_until END
WHERE grant_id = :grant_id;

-- name: save_refresh_token
INSERT INTO refresh_tokens (
    digest, grant_id, client_id, created_at, expires_at, ends_at, cnf
)
VALUES (:digest, :grant_id, :client_id, :created_at, :expires_at, :ends_at, :cnf);

-- name: save_access_token
INSERT INTO access_tokens (
    digest, grant_id, client_id, subject, scope, audience, created_at, expires_at, cnf
)
SELECT
    :digest, :grant_id, :client_id, :subject, :scope, :audience, :created_at, :expires_at, :cnf
WHERE
    :grant_id = ''
    OR EXISTS (SELECT 1 FROM grants WHERE grant_id = :grant_id AND revoked_at IS NULL)
RETURNING digest;

-- name: find_access_token
SELECT
    access_tokens.digest, access_tokens.grant_id, access_tokens.client_id,
    access_tokens.subject, access_tokens.scope, access_tokens.audience,
    access_tokens.created_at, access_tokens.expires_at, access_tokens.cnf
FROM access_tokens
LEFT JOIN grants ON grants.grant_id = access_tokens.grant_id
WHERE
    access_tokens.digest = :digest
    AND access_tokens.expires_at > :now
    AND (
        access_tokens.grant_id = ''
        OR (grants.grant_id IS NOT NULL AND grants.revoked_at IS NULL)
    );

-- name: delete_access_token
DELETE FROM access_tokens
WHERE digest = :digest
RETURNING digest;

-- name: deny_token
INSERT INTO denied_tokens (jti, expires_at)
VALUES (:jti, :expires_at)
ON CONFLICT (jti) DO UPDATE
SET expires_at = excluded.expires_at
WHERE excluded.expires_at > denied_tokens.expires_at;
