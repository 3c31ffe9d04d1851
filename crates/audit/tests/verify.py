"""Checks an audit trail with nothing but the standard library: verify.py DIR"""
import hashlib, json, pathlib, sys

ERASED = b'{"unmapped":{"hallpass":{"action":"record.erased"'
expected, previous, chain = 0, None, None
erased, named = [], set()
for segment in sorted(pathlib.Path(sys.argv[1]).glob("trail-*.jsonl")):
    if segment.stem != f"trail-{expected:020}":
        sys.exit(f"{segment.name}: a segment that begins with record {expected} is missing")
    for number, line in enumerate(segment.open("rb"), 1):
        place = f"record {expected} in {segment.name}, line {number}"
        # A line is: hashed bytes, 64 hexadecimal digits, five closing bytes, line feed.
        hashed, digits, end = line[:-70], line[-70:-6], line[-6:]
        digest = hashlib.sha256(hashed).hexdigest()
        if line.startswith(ERASED):
            # What is left states the hash of what stood here.
            digest = digits.decode()
            erased.append(expected)
        if end != b'"}}]}\n' or digits != digest.encode():
            sys.exit(f"{place}: the hash does not match")
        record = json.loads(line)
        attestation = record["attestation_list"][0]
        before = attestation.get("prev_event", {}).get("fingerprint", {}).get("value")
        chain = chain or attestation["chain_uid"]
        found = (record["metadata"]["sequence"], before, attestation["chain_uid"])
        if found != (expected, previous, chain):
            sys.exit(f"{place}: does not follow the record before it")
        ours = record["unmapped"]["hallpass"]
        if ours["action"] == "trail.erase":
            for part in ours["facts"]["records"].split(","):
                first, last = map(int, part.split("-"))
                named.update(range(first, last + 1))
        expected, previous = expected + 1, digest
for number in erased:
    if number not in named:
        sys.exit(f"record {number} was erased and no record says so")
print(f"{expected} records, the last with hash {previous}")
