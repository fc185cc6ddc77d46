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

-- A person's own change: in a browser that is logged in, and with the password that it checked.
-- name: change_password
UPDATE accounts
SET password_hash = :password_hash, updated_at = :now
WHERE
    subject = :subject AND enabled = 1 AND password_hash = :verified_hash
    AND EXISTS (SELECT 1 FROM sessions WHERE digest = :replaces AND subject = :subject)
RETURNING subject;

-- name: revoke_grants_of_subject
UPDATE grants SET revoked_at = :now WHERE subject = :subject AND revoked_at IS NULL;

-- name: save_session
INSERT INTO sessions (
    digest, sid, subject, auth_time, amr, created_at, seen_at, expires_at, browser
)
SELECT
    :digest, :sid, :subject, :auth_time, :amr, :created_at, :seen_at, :expires_at, :browser
WHERE EXISTS (
    SELECT 1 FROM accounts
    WHERE subject = :subject AND enabled = 1 AND password_hash = :verified_hash
)
RETURNING digest;

-- name: find_session
SELECT
    sessions.digest, sessions.sid, sessions.subject, sessions.auth_time, sessions.amr,
    sessions.created_at, sessions.seen_at, sessions.expires_at, sessions.browser
FROM sessions
JOIN accounts ON accounts.subject = sessions.subject
WHERE
    sessions.digest = :digest
    AND sessions.expires_at > :now
    AND sessions.seen_at > :idle_since
    AND accounts.enabled = 1;

-- name: find_agreed_session
SELECT
    consents.scope,
    sessions.digest, sessions.sid, sessions.subject, sessions.auth_time, sessions.amr,
    sessions.created_at, sessions.seen_at, sessions.expires_at, sessions.browser
FROM sessions
JOIN accounts ON accounts.subject = sessions.subject
LEFT JOIN consents
    ON
        consents.subject = sessions.subject
        AND consents.client_id = :client_id
        AND consents.audience = :audience
WHERE
    sessions.digest = :digest
    AND sessions.expires_at > :now
    AND sessions.seen_at > :idle_since
    AND accounts.enabled = 1;

-- name: list_sessions
SELECT
    sessions.digest, sessions.sid, sessions.subject, sessions.auth_time, sessions.amr,
    sessions.created_at, sessions.seen_at, sessions.expires_at, sessions.browser
FROM sessions
JOIN accounts ON accounts.subject = sessions.subject
WHERE
    sessions.subject = :subject
    AND sessions.expires_at > :now
    AND sessions.seen_at > :idle_since
    AND accounts.enabled = 1
ORDER BY sessions.seen_at DESC, sessions.created_at DESC, sessions.sid
LIMIT :limit;

-- name: touch_session
UPDATE sessions SET seen_at = :now WHERE digest = :digest AND seen_at < :now;

-- name: end_session
DELETE FROM sessions WHERE digest = :digest RETURNING sid;

-- name: end_sessions_of
DELETE FROM sessions WHERE subject = :subject RETURNING sid;

-- name: end_session_of
DELETE FROM sessions WHERE subject = :subject AND sid = :sid RETURNING sid;

-- name: end_other_sessions
DELETE FROM sessions WHERE subject = :subject AND digest <> :keep RETURNING sid;

-- name: find_consent
SELECT scope
FROM consents
WHERE subject = :subject AND client_id = :client_id AND audience = :audience;

-- What ended the grant in the meantime has ended the consent to it.
-- name: save_consent
INSERT INTO consents (subject, client_id, audience, scope, created_at, updated_at)
SELECT :subject, :client_id, :audience, :scope, :now, :now
WHERE EXISTS (
    SELECT 1 FROM grants
    WHERE
        subject = :subject AND client_id = :client_id AND audience = :audience
        AND revoked_at IS NULL
)
ON CONFLICT (subject, client_id, audience) DO UPDATE
SET scope = excluded.scope, updated_at = excluded.updated_at;

-- One row for each client and each scope of its grants and consents that differs.
-- name: list_access
WITH held AS (
    SELECT client_id, scope, created_at, created_at AS granted_at
    FROM grants
    WHERE subject = :subject AND revoked_at IS NULL AND keep_until > :now
    UNION ALL
    SELECT client_id, scope, created_at, updated_at AS granted_at
    FROM consents
    WHERE subject = :subject
),
holders AS (
    SELECT client_id, min(created_at) AS created_at, max(granted_at) AS granted_at
    FROM held
    GROUP BY client_id
    ORDER BY max(granted_at) DESC, client_id
    LIMIT :limit
)
SELECT DISTINCT
    holders.client_id, clients.client_name, clients.redirect_uris, held.scope,
    holders.created_at, holders.granted_at
FROM holders
JOIN held ON held.client_id = holders.client_id
JOIN clients ON clients.client_id = holders.client_id
ORDER BY holders.granted_at DESC, holders.client_id, held.scope;

-- name: revoke_grants_to_client
UPDATE grants
SET revoked_at = :now
WHERE subject = :subject AND client_id = :client_id AND revoked_at IS NULL
RETURNING grant_id;

-- name: forget_consents_of_subject
DELETE FROM consents WHERE subject = :subject;

-- name: forget_consents
DELETE FROM consents WHERE subject = :subject AND client_id = :client_id RETURNING audience;
