-- Registered clients.

-- name: find_client
SELECT
    client_id, client_name, secret_digest, token_endpoint_auth_method, application_type,
    redirect_uris, grant_types, scope, default_scope, audiences, id_token_signed_response_alg,
    require_pkce, skip_consent, jwks, metadata, enabled, created_at, updated_at
FROM clients
WHERE client_id = :client_id;

-- name: list_clients
SELECT
    client_id, client_name, secret_digest, token_endpoint_auth_method, application_type,
    redirect_uris, grant_types, scope, default_scope, audiences, id_token_signed_response_alg,
    require_pkce, skip_consent, jwks, metadata, enabled, created_at, updated_at
FROM clients
ORDER BY client_id;

-- name: add_client
INSERT INTO clients (
    client_id, client_name, secret_digest, token_endpoint_auth_method, application_type,
    redirect_uris, grant_types, scope, default_scope, audiences, id_token_signed_response_alg,
    require_pkce, skip_consent, jwks, metadata, enabled, created_at, updated_at
)
SELECT
    :client_id, :client_name, :secret_digest, :token_endpoint_auth_method, :application_type,
    :redirect_uris, :grant_types, :scope, :default_scope, :audiences,
    :id_token_signed_response_alg, :require_pkce, :skip_consent, :jwks, :metadata, :enabled,
    :created_at, :updated_at
WHERE NOT EXISTS (SELECT 1 FROM resources WHERE resource_id = :client_id)
ON CONFLICT DO NOTHING
RETURNING client_id;

-- name: update_client
UPDATE clients
SET client_name = :client_name,
    secret_digest = CASE WHEN :token_endpoint_auth_method = 'none' THEN NULL ELSE secret_digest END,
    token_endpoint_auth_method = :token_endpoint_auth_method,
    application_type = :application_type,
    redirect_uris = :redirect_uris,
    grant_types = :grant_types,
    scope = :scope,
    default_scope = :default_scope,
    audiences = :audiences,
    id_token_signed_response_alg = :id_token_signed_response_alg,
    require_pkce = :require_pkce,
    skip_consent = :skip_consent,
    jwks = :jwks,
    metadata = :metadata,
    enabled = :enabled,
    updated_at = :updated_at
WHERE client_id = :client_id
RETURNING client_id;

-- name: replace_client_secret
UPDATE clients
SET secret_digest = :secret_digest, updated_at = :now
WHERE client_id = :client_id AND token_endpoint_auth_method <> 'none'
RETURNING client_id;

-- name: remove_client
DELETE FROM clients WHERE client_id = :client_id RETURNING client_id;

-- name: remove_grants_of_client
DELETE FROM grants WHERE client_id = :client_id;

-- name: remove_consents_of_client
DELETE FROM consents WHERE client_id = :client_id;

-- name: remove_transactions_of_client
DELETE FROM transactions WHERE client_id = :client_id;
