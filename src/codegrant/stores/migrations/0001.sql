-- The first schema. Times are integer epoch seconds, digests SHA-256, lists JSON text.
-- SQLite; the checks do what STRICT does from 3.37 on.

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE clients (
    client_id TEXT NOT NULL PRIMARY KEY CHECK (client_id <> ''),
    client_name TEXT NOT NULL,
    secret_digest BLOB CHECK (length(secret_digest) = 32),
    token_endpoint_auth_method TEXT NOT NULL,
    application_type TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    grant_types TEXT NOT NULL,
    scope TEXT NOT NULL,
    default_scope TEXT NOT NULL,
    audiences TEXT NOT NULL,
    id_token_signed_response_alg TEXT NOT NULL,
    require_pkce INTEGER NOT NULL CHECK (require_pkce IN (0, 1)),
    skip_consent INTEGER NOT NULL CHECK (skip_consent IN (0, 1)),
    jwks TEXT NOT NULL,
    metadata TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE resources (
    audience TEXT NOT NULL PRIMARY KEY CHECK (audience <> ''),
    resource_id TEXT NOT NULL UNIQUE CHECK (resource_id <> ''),
    secret_digest BLOB CHECK (length(secret_digest) = 32),
    scope TEXT NOT NULL,
    access_format TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

-- The scope of every resource once more, one row per token, for FindResourceScopes.
CREATE TABLE resource_scopes (
    scope TEXT NOT NULL,
    audience TEXT NOT NULL REFERENCES resources ON DELETE CASCADE,
    PRIMARY KEY (scope, audience)
) WITHOUT ROWID;
CREATE INDEX resource_scopes_of_audience ON resource_scopes (audience);

CREATE TABLE accounts (
    subject TEXT NOT NULL PRIMARY KEY CHECK (subject <> ''),
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE CHECK (username_key <> ''),
    password_hash TEXT NOT NULL,
    email TEXT NOT NULL,
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    name TEXT NOT NULL,
    claims TEXT NOT NULL,
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE sessions (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    sid TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
    auth_time INTEGER NOT NULL,
    amr TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    browser TEXT NOT NULL
);
CREATE INDEX sessions_of_subject ON sessions (subject);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE consents (
    subject TEXT NOT NULL,
    client_id TEXT NOT NULL,
    audience TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (subject, client_id, audience)
) WITHOUT ROWID;
CREATE INDEX consents_of_client ON consents (client_id);

-- serial is the order of arrival, which seconds cannot tell.
CREATE TABLE transactions (
    serial INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    client_id TEXT NOT NULL,
    request TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    browser_digest BLOB CHECK (length(browser_digest) = 32),
    login_sid TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX transactions_unbound ON transactions (source, serial) WHERE browser_digest IS NULL;
CREATE INDEX transactions_bound ON transactions (source, serial) WHERE browser_digest IS NOT NULL;
CREATE INDEX transactions_by_expiry ON transactions (expires_at);

-- keep_until: no code and no token of the grant lives longer. Codes and tokens are looked up
-- together with their grant, so one whose grant is gone is dead. family: digest of what all of
-- its refresh tokens share, by which an old one is known whose own row is gone; family_until:
-- when the newest of them expires.
CREATE TABLE grants (
    grant_id TEXT NOT NULL PRIMARY KEY CHECK (grant_id <> ''),
    client_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,
    auth_time INTEGER NOT NULL,
    amr TEXT NOT NULL,
    acr TEXT NOT NULL,
    sid TEXT NOT NULL,
    cnf TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    keep_until INTEGER NOT NULL,
    family BLOB CHECK (length(family) = 32),
    family_until INTEGER
);
CREATE UNIQUE INDEX grants_of_family ON grants (family) WHERE family IS NOT NULL;
CREATE INDEX grants_of_subject ON grants (subject);
CREATE INDEX grants_by_end ON grants (keep_until);

CREATE TABLE codes (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    grant_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    redirect_uri_sent INTEGER NOT NULL CHECK (redirect_uri_sent IN (0, 1)),
    code_challenge TEXT NOT NULL,
    nonce TEXT NOT NULL,
    requested_scope TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    claims TEXT NOT NULL,
    auth_time_requested INTEGER NOT NULL CHECK (auth_time_requested IN (0, 1)),
    offline INTEGER NOT NULL CHECK (offline IN (0, 1)),
    cnf TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    consumed_at INTEGER
);
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE access_tokens (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    grant_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    scope TEXT NOT NULL,
    audience TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    cnf TEXT NOT NULL
);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);

-- One family per grant. A rotated token keeps its successor sealed for the grace window.
CREATE TABLE refresh_tokens (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    grant_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    cnf TEXT NOT NULL,
    rotated_at INTEGER,
    successor_digest BLOB CHECK (length(successor_digest) = 32),
    sealed_successor TEXT NOT NULL DEFAULT ''
);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

CREATE TABLE denied_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX denied_tokens_by_expiry ON denied_tokens (expires_at);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    alg TEXT NOT NULL,
    sealed_private_key TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    activates_at INTEGER NOT NULL,
    retires_at INTEGER,
    removes_at INTEGER
);

CREATE TABLE failures (
    serial INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    account BLOB NOT NULL,
    source TEXT NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX failures_of_source ON failures (kind, source, at, account);
CREATE INDEX failures_by_age ON failures (at);

-- The client role: web logins, sealed by their owner, and who may exchange which callback.
CREATE TABLE logins (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    sealed TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    person BLOB NOT NULL CHECK (length(person) IN (0, 32)),
    provider_session BLOB NOT NULL CHECK (length(provider_session) IN (0, 32))
);
CREATE INDEX logins_by_expiry ON logins (expires_at);
CREATE INDEX logins_by_person ON logins (person);
CREATE INDEX logins_by_provider_session ON logins (provider_session);

-- A logout token that was obeyed is remembered here as well.
CREATE TABLE callbacks (
    login_digest BLOB NOT NULL PRIMARY KEY CHECK (length(login_digest) = 32),
    expires_at INTEGER NOT NULL,
    finished INTEGER NOT NULL DEFAULT 0 CHECK (finished IN (0, 1)),
    sealed_answer TEXT NOT NULL DEFAULT '',
    answer_until INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX callbacks_by_expiry ON callbacks (expires_at);

-- Who refreshes the tokens of which login, for a few seconds.
CREATE TABLE leases (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    owner BLOB NOT NULL CHECK (length(owner) = 16),
    expires_at INTEGER NOT NULL
);
CREATE INDEX leases_by_expiry ON leases (expires_at);
