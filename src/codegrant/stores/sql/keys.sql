-- Signing keys.

-- name: load_keys
SELECT kid, alg, sealed_private_key, created_at, activates_at, retires_at, removes_at
FROM signing_keys
WHERE removes_at IS NULL OR removes_at > :now
ORDER BY created_at, activates_at, kid;

-- name: list_keys
SELECT kid, alg, sealed_private_key, created_at, activates_at, retires_at, removes_at
FROM signing_keys
ORDER BY created_at, activates_at, kid;

-- name: find_key_of_alg
SELECT kid
FROM signing_keys
WHERE alg = :alg AND (removes_at IS NULL OR removes_at > :now)
LIMIT 1;

-- name: add_key
INSERT INTO signing_keys (
    kid, alg, sealed_private_key, created_at, activates_at, retires_at, removes_at
)
VALUES (:kid, :alg, :sealed_private_key, :created_at, :activates_at, :retires_at, :removes_at);

-- name: retire_other_keys
UPDATE signing_keys
SET retires_at = :retires_at, removes_at = :removes_at
WHERE alg = :alg AND kid <> :kid AND (retires_at IS NULL OR retires_at > :retires_at);

-- name: reseal_key
UPDATE signing_keys SET sealed_private_key = :sealed_private_key WHERE kid = :kid;
