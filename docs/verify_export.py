"""Verifies an export of the audit log: PORTAL_AUDIT_KEY='KEY,FORMER KEY' python3 verify_export.py FILE [CHECKPOINT]."""

import hashlib
import hmac
import json
import os
import sys
from pathlib import Path

KEYS, FOUND = {}, []
for setting in os.environ["PORTAL_AUDIT_KEY"].split(","):
    secret = hmac.digest(setting.strip().encode(), b"portal audit key", "sha256")
    KEYS[hmac.digest(secret, b"portal audit key id", "sha256").hex()[:8]] = secret


def fits(what, name, row, signature="signature"):
    signed = {key: value for key, value in row.items() if key != signature}
    text = json.dumps(signed, separators=(",", ":"), sort_keys=True)
    key_id = str(row[signature]).partition(":")[0]
    code = hmac.digest(KEYS.get(key_id, b""), f"portal {what} 1\n{text}".encode(), "sha256").hex()[:32]
    is_right = key_id in KEYS and hmac.compare_digest(f"{key_id}:{code}", row[signature])
    if not is_right:
        FOUND.append(f"{name} " + ("was changed" if key_id in KEYS else f"names the key {key_id}, which was not given"))
    return is_right


def unpack(ranges):
    return {number for first, last in ranges for number in range(first, last + 1)}


number, digest, kept, waiting, digests = 0, "", set(), {}, {}
with Path(sys.argv[1]).open() as export:
    for line in export:
        row = json.loads(line)
        if "verb" in row:
            fits("event", f"event {row['id']}", row)
            waiting[row["id"]] = row["signature"]
        elif "seal_digest" in row:
            if fits("tombstone", f"tombstone of {row['made_at']}", row) and row["kind"] == "EVENTS":
                number, digest = row["seal_number"], row["seal_digest"]
                digests[number], kept = digest, (kept | unpack(row["kept"])) - unpack(row["ids"])
        else:
            if (row["number"], row["previous"]) != (number + 1, digest):
                FOUND.append(f"seal {row['number']} does not follow seal {number}: one was removed or replaced")
            number, digest = row["number"], row["digest"]
            digests[number] = digest
            if fits("seal", f"seal {number}", row, "digest"):
                own = unpack(row["ids"])
                FOUND += [f"event {missing} was removed" for missing in sorted((own | kept) - waiting.keys())]
                FOUND += [f"event {other} was inserted" for other in sorted(waiting.keys() - own - kept)]
                lines = "".join(f"{waiting[one]}\n" for one in sorted(own & waiting.keys()))
                if own <= waiting.keys() and hashlib.sha256(lines.encode()).hexdigest() != row["signatures"]:
                    FOUND.append(f"seal {number} has other events than it was made of")
            waiting, kept = {}, set()
if sys.argv[2:]:
    checkpoint = json.loads(Path(sys.argv[2]).read_text())
    if digests.get(checkpoint["number"]) != checkpoint["digest"]:
        FOUND.append(f"seal {checkpoint['number']} is not the checkpoint's")
words = FOUND or [f"All is well; {len(waiting)} events are not sealed yet"]
sys.stdout.writelines(f"{line}\n" for line in words)
sys.exit(bool(FOUND))
