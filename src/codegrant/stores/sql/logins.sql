-- The client role: sessions of web logins, claims of their callbacks, and leases.

-- name: claim_callback
INSERT INTO callbacks (login_digest, expires_at)
VALUES (:login_digest, :expires_at)
ON CONFLICT (login_digest) DO UPDATE
SET expires_at = excluded.expires_at, finished = 0, sealed_answer = '', answer_until = 0
WHERE callbacks.expires_at <= :now
RETURNING login_digest;

-- name: find_callback
SELECT finished, sealed_answer, answer_until FROM callbacks WHERE login_digest = :login_digest;

-- name: finish_callback
UPDATE callbacks
SET finished = 1, sealed_answer = :sealed_answer, answer_until = :answer_until
WHERE login_digest = :login_digest
RETURNING login_digest;

-- name: begin_login
INSERT INTO logins (digest, sealed, expires_at, person, provider_session)
VALUES (:digest, :sealed, :expires_at, :person, :provider_session)
ON CONFLICT (digest) DO UPDATE
SET sealed = excluded.sealed, expires_at = excluded.expires_at, person = excluded.person,
    provider_session = excluded.provider_session;

-- name: replace_login
UPDATE logins
SET sealed = :sealed, expires_at = :expires_at
WHERE digest = :digest AND expires_at > :now
    AND (CAST(:replacing AS TEXT) IS NULL OR sealed = :replacing)
RETURNING digest;

-- name: find_login
SELECT digest, sealed, expires_at, person, provider_session
FROM logins
WHERE digest = :digest AND expires_at > :now;

-- name: delete_login
DELETE FROM logins WHERE digest = :digest RETURNING digest;

-- name: end_logins_of_person
DELETE FROM logins WHERE person = :person RETURNING digest;

-- name: end_logins_of_session
DELETE FROM logins WHERE provider_session = :provider_session RETURNING digest;

-- name: end_logins_of_person_in_session
DELETE FROM logins
WHERE person = :person AND (provider_session = :provider_session OR length(provider_session) = 0)
RETURNING digest;

-- The last condition: a clock was set back after that lease was taken.
-- name: take_lease
INSERT INTO leases (digest, owner, expires_at)
VALUES (:key, :owner, :now + :duration)
ON CONFLICT (digest) DO UPDATE
SET owner = excluded.owner, expires_at = excluded.expires_at
WHERE leases.owner = excluded.owner
    OR leases.expires_at <= :now
    OR leases.expires_at > :now + 2 * :duration
RETURNING digest;

-- name: release_lease
DELETE FROM leases WHERE digest = :key AND owner = :owner RETURNING digest;
