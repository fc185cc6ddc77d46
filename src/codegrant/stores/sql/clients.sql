-- Registered clients.

-- name: find_client
SELECT
    client_id, client_name, secret_digest, token_endpoint_auth_method, application_type,
    redirect_uris, grant_types, scope, default_scope, audiences, id_token_signed_response_alg,
    require_pkce, skip_consent, jwks, metadata, enabled, created_at, updated_at
FROM clients
WHERE client_id = :client_id;

-- One row, whoever it is: the count of `count_failures`, a client, a resource server.
-- name: find_caller
SELECT
    counted.of_pair, counted.of_source, counted.oldest_of_pair, counted.oldest_of_source,
    clients.client_id, clients.client_name, clients.secret_digest,
    clients.token_endpoint_auth_method, clients.application_type, clients.redirect_uris,
    clients.grant_types, clients.scope, clients.default_scope, clients.audiences,
    clients.id_token_signed_response_alg, clients.require_pkce, clients.skip_consent,
    clients.jwks, clients.metadata, clients.enabled, clients.created_at, clients.updated_at,
    resources.audience, resources.resource_id, resources.secret_digest, resources.scope,
    resources.access_format, resources.created_at, resources.updated_at
FROM (
    SELECT
        COUNT(*) FILTER (WHERE account = :account) AS of_pair,
        COUNT(*) AS of_source,
        MIN(at) FILTER (WHERE account = :account) AS oldest_of_pair,
        MIN(at) AS oldest_of_source
    FROM failures
    WHERE kind = :kind AND source = :source AND at > :since
) AS counted
LEFT JOIN clients ON clients.client_id = :caller_id
LEFT JOIN resources ON resources.resource_id = :caller_id;

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
