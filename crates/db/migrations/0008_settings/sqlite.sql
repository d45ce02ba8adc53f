-- What waits, or waited, for approval; and a tenant's settings by kind and name.

CREATE TABLE workflow (
    reference TEXT NOT NULL,
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    status TEXT NOT NULL,
    stale INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    description TEXT,
    properties TEXT NOT NULL,
    CONSTRAINT workflow__reference PRIMARY KEY (reference)
) STRICT;
CREATE INDEX workflow_by_subject ON workflow (subject, kind);
CREATE INDEX workflow_by_status ON workflow (tenant, status, created_at);

CREATE TABLE tenant_setting (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    secret BLOB,
    CONSTRAINT tenant_setting__tenant__kind__name PRIMARY KEY (tenant, kind, name)
) STRICT;
