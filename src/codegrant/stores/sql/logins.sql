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
INSERT INTO logins (digest, sealed, expires_at)
VALUES (:digest, :sealed, :expires_at)
ON CONFLICT (digest) DO UPDATE
SET sealed = excluded.sealed, expires_at = excluded.expires_at;

-- name: replace_login
UPDATE logins
SET sealed = :sealed, expires_at = :expires_at
WHERE digest = :digest AND expires_at > :now
    AND (:replacing IS NULL OR sealed = :replacing)
RETURNING digest;

-- name: find_login
SELECT digest, sealed, expires_at FROM logins WHERE digest = :digest AND expires_at > :now;

-- name: delete_login
DELETE FROM logins WHERE digest = :digest RETURNING digest;

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
