-- What a person has to be told. their_users and the other views show the rows of the original's file.

-- Rows that share an address, or have none: which of them to keep is for a person to say.
CREATE TEMP VIEW twins AS
SELECT kind || ' ' || GROUP_CONCAT(id, ' and ') AS ids
FROM (
    SELECT 'users' AS kind, id, address_key(email) AS address FROM their_users
    UNION ALL
    SELECT 'mechanics', id, address_key(email) FROM their_mechanics
    ORDER BY id
)
GROUP BY kind, address
HAVING COUNT(*) > 1
ORDER BY kind DESC, MIN(id);

-- The addresses that are not the same in our tables.
CREATE TEMP VIEW changed_addresses AS
SELECT kind, id, address, clean_address(address) AS cleaned
FROM (
    SELECT 'users' AS kind, id, email AS address FROM their_users
    UNION ALL
    SELECT 'mechanics', id, email FROM their_mechanics
    UNION ALL
    SELECT 'bookings', id, email FROM their_bookings
    UNION ALL
    SELECT 'contact_messages', id, email FROM their_contact_messages
)
WHERE address <> cleaned;

CREATE TEMP VIEW troubled_accounts AS
SELECT id, 'has no e-mail address, and cannot sign in' AS why
FROM main.users
WHERE email = ''
UNION ALL
SELECT id, 'has a password that is not stored as a bcrypt hash: reset-password gives it a new one'
FROM main.users
WHERE length(password) <> 60 OR password NOT GLOB '$2[aby]$[0-2][0-9]$?????????????????????[.Oeu]*'
    OR substr(password, 5, 2) > '20'
ORDER BY id;
