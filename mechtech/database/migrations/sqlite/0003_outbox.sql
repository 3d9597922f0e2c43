-- Mails to be sent, written down in the transaction of what set them off, and those that were. One that is neither sent
-- nor given up is tried from due_at on. content: what it tells, as JSON, emptied once it is sent.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    recipient   TEXT NOT NULL,
    content     TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    due_at      TEXT NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    sent_at     TEXT,
    given_up_at TEXT
) STRICT;

CREATE INDEX outbox_due ON outbox (due_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
