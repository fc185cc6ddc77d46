-- People, their browsers and what they agreed to.

-- name: find_account
SELECT
    subject, username, username_key, password_hash, email, email_verified, name, claims,
    enabled, created_at, updated_at
FROM accounts
WHERE username_key = :username_key;

-- name: find_account_by_subject
SELECT
    subject, username, username_key, password_hash, email, email_verified, name, claims,
    enabled, created_at, updated_at
FROM accounts
WHERE subject = :subject;

-- name: list_accounts
SELECT
    subject, username, username_key, password_hash, email, email_verified, name, claims,
    enabled, created_at, updated_at
FROM accounts
ORDER BY username_key;

-- name: add_account
INSERT INTO accounts (
    subject, username, username_key, password_hash, email, email_verified, name, claims,
    enabled, created_at, updated_at
)
VALUES (
    :subject, :username, :username_key, :password_hash, :email, :email_verified, :name, :claims,
    :enabled, :created_at, :updated_at
)
ON CONFLICT DO NOTHING
RETURNING subject;

-- name: update_account
UPDATE accounts
SET username = :username,
    username_key = :username_key,
    email = :email,
    email_verified = :email_verified,
    name = :name,
    claims = :claims,
    enabled = :enabled,
    updated_at = :updated_at
WHERE
    subject = :subject
    AND NOT EXISTS (
        SELECT 1 FROM accounts AS other
        WHERE other.username_key = :username_key AND other.subject <> :subject
    )
RETURNING subject;

-- name: replace_password
UPDATE accounts
SET password_hash = :password_hash, updated_at = :now
WHERE subject = :subject
RETURNING subject;

-- name: revoke_grants_of_subject
UPDATE grants SET revoked_at = :now WHERE subject = :subject AND revoked_at IS NULL;

-- name: save_session
INSERT INTO sessions (digest, sid, subject, auth_time, amr, created_at, seen_at, expires_at)
SELECT :digest, :sid, :subject, :auth_time, :amr, :created_at, :seen_at, :expires_at
WHERE EXISTS (
    SELECT 1 FROM accounts
    WHERE subject = :subject AND enabled = 1 AND password_hash = :verified_hash
)
RETURNING digest;

-- name: find_session
SELECT
    sessions.digest, sessions.sid, sessions.subject, sessions.auth_time, sessions.amr,
    sessions.created_at, sessions.seen_at, sessions.expires_at
FROM sessions
JOIN accounts ON accounts.subject = sessions.subject
WHERE
    sessions.digest = :digest
    AND sessions.expires_at > :now
    AND sessions.seen_at > :idle_since
    AND accounts.enabled = 1;

-- name: touch_session
UPDATE sessions SET seen_at = :now WHERE digest = :digest AND seen_at < :now;

-- name: end_session
DELETE FROM sessions WHERE digest = :digest RETURNING sid;

-- name: end_sessions_of
DELETE FROM sessions WHERE subject = :subject RETURNING sid;

-- name: find_consent
SELECT scope FROM consents WHERE subject = :subject AND client_id = :client_id;

-- name: save_consent
INSERT INTO consents (subject, client_id, scope, created_at, updated_at)
VALUES (:subject, :client_id, :scope, :now, :now)
ON CONFLICT (subject, client_id) DO UPDATE
SET scope = excluded.scope, updated_at = excluded.updated_at;
