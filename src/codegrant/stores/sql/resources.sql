-- Registered resource servers and their scopes.

-- name: find_resource
SELECT audience, resource_id, secret_digest, scope, access_format, created_at, updated_at
FROM resources
WHERE audience = :audience;

-- name: list_resources
SELECT audience, resource_id, secret_digest, scope, access_format, created_at, updated_at
FROM resources
ORDER BY audience;

-- name: find_scope
SELECT scope FROM resource_scopes WHERE scope = :scope LIMIT 1;

-- name: add_resource
INSERT INTO resources (
    audience, resource_id, secret_digest, scope, access_format, created_at, updated_at
)
SELECT
    :audience, :resource_id, :secret_digest, :scope, :access_format, :created_at, :updated_at
WHERE NOT EXISTS (SELECT 1 FROM clients WHERE client_id = :resource_id)
ON CONFLICT DO NOTHING
RETURNING audience;

-- name: update_resource
UPDATE resources
SET scope = :scope, access_format = :access_format, updated_at = :updated_at
WHERE audience = :audience
RETURNING audience;

-- name: replace_resource_secret
UPDATE resources
SET secret_digest = :secret_digest, updated_at = :now
WHERE audience = :audience
RETURNING audience;

-- name: remove_resource
DELETE FROM resources WHERE audience = :audience RETURNING audience;

-- name: add_scope
INSERT INTO resource_scopes (scope, audience) VALUES (:scope, :audience) ON CONFLICT DO NOTHING;

-- name: remove_scopes
DELETE FROM resource_scopes WHERE audience = :audience;
