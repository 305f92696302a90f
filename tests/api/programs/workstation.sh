# Written for AgentStation: nothing here knows of a portal. Without jq, which not every machine has.
set -euo pipefail

call() {
    curl --silent --show-error --max-time 60 -H "Authorization: Bearer $API_KEY" "$@"
}
field() { # the first of that name
    grep -oE "\"$1\": *\"?[^\",}]*" | sed -E 's/.*: *"?//; q'
}
count() {
    call "$BASE_URL/workstations?limit=100" | grep -c "\"id\": *\"$id\"" || true
}

made=$(call --fail -X POST "$BASE_URL/workstations" -H "Content-Type: application/json" -d '{"type": "python"}')
id=$(field id <<<"$made")
echo "$(field type <<<"$made") $(field status <<<"$made")"
echo "listed $(count)"
call --fail "$BASE_URL/workstations/$id" | field status
released=$(call --fail -X DELETE "$BASE_URL/workstations/$id/release")
echo "$(field type <<<"$released") $(field released <<<"$released")"
echo "listed $(count)"
call --output /dev/null --write-out "%{http_code}\n" "$BASE_URL/workstations/$id"
