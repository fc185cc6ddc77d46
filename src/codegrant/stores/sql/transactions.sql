-- Authorization requests that wait for a person.

-- name: save_transaction
INSERT INTO transactions (
    digest, client_id, request, source, created_at, expires_at, browser_digest, login_sid, answer
)
VALUES (
    :digest, :client_id, :request, :source, :created_at, :expires_at, :browser_digest, :login_sid,
    ''
);

-- Of the unbound ones of a source, those beyond the newest :limit.
-- name: drop_oldest_transactions
DELETE FROM transactions
WHERE serial IN (
    SELECT serial FROM transactions
    WHERE source = :source AND browser_digest IS NULL
    ORDER BY serial DESC
    LIMIT 1000 OFFSET :limit
);

-- name: find_transaction
SELECT digest, client_id, request, source, created_at, expires_at, browser_digest, login_sid
FROM transactions
WHERE digest = :digest AND expires_at > :now AND answer = '';

-- name: bind_transaction
UPDATE transactions
SET browser_digest = :browser_digest
WHERE digest = :digest AND browser_digest IS NULL AND expires_at > :now
RETURNING serial, source;

-- Of the bound ones of a source, those beyond the newest :others; never the one bound just now.
-- name: drop_oldest_bound_transactions
DELETE FROM transactions
WHERE serial IN (
    SELECT serial FROM transactions
    WHERE source = :source AND browser_digest IS NOT NULL AND serial <> :serial
    ORDER BY serial DESC
    LIMIT 1000 OFFSET :others
);

-- name: record_login
UPDATE transactions
SET login_sid = :sid
WHERE
    digest = :digest AND browser_digest = :browser_digest AND expires_at > :now AND answer = ''
RETURNING serial;

-- The one end of a transaction: its answer stays for a moment.
-- name: finish_transaction
UPDATE transactions
SET answer = :sealed_answer, expires_at = :answer_until
WHERE
    digest = :digest AND browser_digest = :browser_digest AND expires_at > :now AND answer = ''
    AND :sealed_answer <> ''
RETURNING serial;

-- name: find_answer
SELECT answer
FROM transactions
WHERE
    digest = :digest AND browser_digest = :browser_digest AND expires_at > :now AND answer <> '';
