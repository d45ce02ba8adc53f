-- Whether operations for one kind of token refuse the other, per tenant and per API (NULL follows the tenant).
ALTER TABLE continuity ADD COLUMN token_kinds INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_continuity ADD COLUMN token_kinds INTEGER;
