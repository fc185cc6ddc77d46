-- What an access token hangs on, in one statement.

-- A client that was added after a token without a grant is not the one that got it.
-- name: find_standing
SELECT
    EXISTS (SELECT 1 FROM denied_tokens WHERE jti = :jti),
    clients.enabled = 1 AND (:grant_id <> '' OR clients.created_at <= :issued_at),
    grants.grant_id, grants.client_id, grants.subject, grants.scope, grants.audience,
    grants.auth_time, grants.amr, grants.acr, grants.sid, grants.cnf, grants.created_at,
    grants.revoked_at
FROM clients
LEFT JOIN grants ON grants.grant_id = :grant_id
WHERE clients.client_id = :client_id;
