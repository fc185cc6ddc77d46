-- What the database as a whole is bound to.

-- name: find_setting
SELECT value FROM settings WHERE name = :name;

-- name: keep_setting
INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING;

-- name: replace_setting
UPDATE settings SET value = :value WHERE name = :name AND value = :expected RETURNING name;
