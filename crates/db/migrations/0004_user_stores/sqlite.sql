-- User stores that other servers keep: directories, and databases with the old product's tables.

CREATE TABLE user_store (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    domain TEXT NOT NULL,
    domain_fold TEXT NOT NULL,
    kind TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    position INTEGER NOT NULL,
    admin_role TEXT,
    attributes TEXT NOT NULL,
    properties TEXT NOT NULL,
    secrets BLOB NOT NULL,
    CONSTRAINT user_store__tenant__domain_fold PRIMARY KEY (tenant, domain_fold)
) STRICT;
