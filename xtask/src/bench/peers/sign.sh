# sign.sh FOLDER CLAIMS: makes an RSA key of 2048 bits, its public half, and an RS256 token over CLAIMS.
set -eu
url() { base64 -w0 | tr '+/' '-_' | tr -d '='; }
cd "$1"
openssl genrsa -out gate.key 2048 2>/dev/null
openssl rsa -in gate.key -pubout -out gate.pem 2>/dev/null
head=$(printf '{"alg":"RS256","typ":"at+jwt","kid":"MTIzNDU2Nzg5MGFiY2RlZjEyMzQ1Njc4OTBhYmNkZWYxMjM0NTY3OA"}' | url)
body=$(printf '%s' "$2" | url)
signature=$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign gate.key -binary | url)
printf '%s.%s.%s' "$head" "$body" "$signature"
