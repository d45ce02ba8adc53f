-- What waits, or waited, for approval; and a tenant's settings by kind and name.

CREATE TABLE workflow (
    reference TEXT NOT NULL,
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    status TEXT NOT NULL,
    stale BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    description TEXT,
    properties TEXT NOT NULL,
    CONSTRAINT workflow__reference PRIMARY KEY (reference)
);
CREATE INDEX workflow_by_subject ON workflow (subject, kind);
CREATE INDEX workflow_by_status ON workflow (tenant, status, created_at);

CREATE TABLE tenant_setting (
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    secret BYTEA,
    CONSTRAINT tenant_setting__tenant__kind__name PRIMARY KEY (tenant, kind, name)
);
