-- Failed logins and the like, for the rate limits.

-- name: save_failure
INSERT INTO failures (kind, account, source, at) VALUES (:kind, :account, :source, :at);

-- name: count_failures
SELECT
    COUNT(*) FILTER (WHERE account = :account),
    COUNT(*),
    MIN(at) FILTER (WHERE account = :account),
    MIN(at)
FROM failures
WHERE kind = :kind AND source = :source AND at > :since;

-- name: forget_failures
DELETE FROM failures
WHERE serial IN (
    SELECT serial FROM failures WHERE at < :forget_before ORDER BY at LIMIT :limit
);
