-- User stores that other servers keep: directories, and databases with the old product's tables.

CREATE TABLE user_store (
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    domain TEXT COLLATE "C" NOT NULL,
    domain_fold TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    disabled BOOLEAN NOT NULL,
    position BIGINT NOT NULL,
    admin_role TEXT COLLATE "C",
    attributes TEXT COLLATE "C" NOT NULL,
    properties TEXT COLLATE "C" NOT NULL,
    secrets BYTEA NOT NULL,
    CONSTRAINT user_store__tenant__domain_fold PRIMARY KEY (tenant, domain_fold)
);
