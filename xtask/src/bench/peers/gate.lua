-- What an API gateway of the nginx+Lua kind does for a call: verify an RS256 token once, remember it, count the call against a limit.
local ffi = require "ffi"
local cjson = require "cjson.safe"

ffi.cdef [[
typedef struct bio_st BIO;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_md_st EVP_MD;
BIO *BIO_new_mem_buf(const void *buf, int len);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bp, EVP_PKEY **x, void *cb, void *u);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
const EVP_MD *EVP_sha256(void);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, void **pctx, const EVP_MD *type, void *e, EVP_PKEY *pkey);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *data, size_t datalen);
]]
local crypto = ffi.load("libcrypto.so.3")

local gate = {}
local key, issuer, limit

function gate.open(pem, iss, per_minute)
   key = crypto.PEM_read_bio_PUBKEY(crypto.BIO_new_mem_buf(pem, #pem), nil, nil, nil)
   assert(key ~= nil, "the public key cannot be read")
   issuer, limit = iss, per_minute
end

local function decode(text)
   text = text:gsub("-", "+"):gsub("_", "/")
   return ngx.decode_base64(text .. ("="):rep(-#text % 4))
end

local function is_signed(data, signature)
   local context = crypto.EVP_MD_CTX_new()
   local good = crypto.EVP_DigestVerifyInit(context, nil, crypto.EVP_sha256(), nil, key) == 1
      and crypto.EVP_DigestVerify(context, signature, #signature, data, #data) == 1
   crypto.EVP_MD_CTX_free(context)
   return good
end

-- The client a token names and the seconds it has left, or nothing.
local function verify(token)
   local head, body, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
   if not head then return end
   local header, claims = cjson.decode(decode(head) or ""), cjson.decode(decode(body) or "")
   local bytes = decode(signature)
   if not header or header.alg ~= "RS256" or not claims or not bytes or not is_signed(head .. "." .. body, bytes) then return end
   local left = (claims.exp or 0) - ngx.time()
   if claims.iss ~= issuer or left <= 0 or not claims.azp then return end
   return claims.azp, left
end

local function refuse(status)
   ngx.status = status
   ngx.header.content_type = "application/json"
   local body = '{"code":' .. status .. '}'
   ngx.header.content_length = #body
   ngx.print(body)
   return ngx.exit(status)
end

function gate.pass()
   local header = ngx.var.http_authorization
   local token = header and header:match("^Bearer (.+)$")
   if not token then return refuse(401) end
   local tokens = ngx.shared.tokens
   local client = tokens:get(token)
   if not client then
      local left
      client, left = verify(token)
      if not client then return refuse(401) end
      tokens:set(token, client, left)
   end
   local window = client .. ":" .. math.floor(ngx.time() / 60)
   local count = ngx.shared.counters:incr(window, 1, 0, 120)
   if count and count > limit then return refuse(429) end
   ngx.req.clear_header("Authorization")
end

return gate
