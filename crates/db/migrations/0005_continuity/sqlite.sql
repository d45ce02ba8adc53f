-- What tenants keep of an old installation's ways, and where single APIs differ.

CREATE TABLE continuity (
    tenant INTEGER NOT NULL REFERENCES tenant (id),
    error_format TEXT NOT NULL,
    token_paths INTEGER NOT NULL,
    domain_restriction INTEGER NOT NULL,
    domain_header TEXT,
    -- Form of the token for backends; NULL sends none, and then the columns behind it mean nothing.
    jwt_form TEXT,
    jwt_header TEXT NOT NULL,
    jwt_dialect TEXT NOT NULL,
    jwt_signed INTEGER NOT NULL,
    jwt_encoding TEXT NOT NULL,
    jwt_lifetime INTEGER NOT NULL,
    jwt_user_claims INTEGER NOT NULL,
    CONSTRAINT continuity__tenant PRIMARY KEY (tenant)
) STRICT;

-- 1 is yes, 0 is no, NULL follows the tenant.
CREATE TABLE api_continuity (
    api TEXT NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    error_format TEXT,
    domain_restriction INTEGER,
    backend_jwt INTEGER,
    CONSTRAINT api_continuity__api PRIMARY KEY (api)
) STRICT;
