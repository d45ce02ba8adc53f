-- What tenants keep of an old installation's ways, and where single APIs differ.

CREATE TABLE continuity (
    tenant BIGINT NOT NULL REFERENCES tenant (id),
    error_format TEXT COLLATE "C" NOT NULL,
    token_paths BOOLEAN NOT NULL,
    domain_restriction BOOLEAN NOT NULL,
    domain_header TEXT COLLATE "C",
    -- Form of the token for backends; NULL sends none, and then the columns behind it mean nothing.
    jwt_form TEXT COLLATE "C",
    jwt_header TEXT COLLATE "C" NOT NULL,
    jwt_dialect TEXT COLLATE "C" NOT NULL,
    jwt_signed BOOLEAN NOT NULL,
    jwt_encoding TEXT COLLATE "C" NOT NULL,
    jwt_lifetime BIGINT NOT NULL,
    jwt_user_claims BOOLEAN NOT NULL,
    CONSTRAINT continuity__tenant PRIMARY KEY (tenant)
);

-- 1 is yes, 0 is no, NULL follows the tenant.
CREATE TABLE api_continuity (
    api TEXT COLLATE "C" NOT NULL REFERENCES api (id) ON DELETE CASCADE,
    error_format TEXT COLLATE "C",
    domain_restriction BIGINT,
    backend_jwt BIGINT,
    CONSTRAINT api_continuity__api PRIMARY KEY (api)
);
