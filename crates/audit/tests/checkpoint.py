"""Checks a proof of `hallpass audit prove` with nothing but the standard
library: checkpoint.py PUBLIC_KEY_FILE < proof.json

The signature is checked by the formulas of RFC 8032, the proof by those of
RFC 9162, sections 2.1.3.2 and 2.1.4.2; all are slow and plain on purpose."""
import base64, hashlib, json, sys

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):
    (x1, y1), (x2, y2) = p, q
    k = D * x1 * x2 * y1 * y2 % P
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P,
    )


def times(n, point):
    result = (0, 1)
    while n:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def decode(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        sys.exit("the public key or signature is no point of the curve")
    return (P - x if x & 1 != sign else x, y)


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, text, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(r + key + text).digest(), "little") % ORDER
    return times(s, BASE) == add(decode(r), times(k, decode(key)))


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


name, number, key = open(sys.argv[1]).read().strip().split("+", 2)
key = base64.b64decode(key)
assert key[0] == 1, "the key is not Ed25519"
assert sha(name.encode(), b"\n", key)[:4].hex() == number, "the key's number is wrong"



def opened(note):
    """The size and root a note states, once its signature is checked."""
    text, _, signatures = note.partition("\n\n")
    text += "\n"
    _, signer, signature = signatures.split("\n")[0].split(" ")
    signature = base64.b64decode(signature)
    assert signer == name and signature[:4].hex() == number, "signed by another key"
    if not signed(key[1:], text.encode(), signature[4:]):
        sys.exit("the signature is wrong")
    origin, size, root = text.split("\n")[:3]
    assert origin == name, "another trail's checkpoint"
    return int(size), base64.b64decode(root)


def included(record, size, root, nodes):
    at, last = record["record"], size - 1
    if at > last:
        sys.exit("the record is not among those the checkpoint states")
    node = sha(b"\0", bytes.fromhex(record["hash"]))
    for other in nodes:
        if last == 0:
            sys.exit("the proof is too long")
        if at & 1 or at == last:
            node = sha(b"\1", other, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = sha(b"\1", node, other)
        at, last = at >> 1, last >> 1
    return not last and node == root


def grown(old_size, old_root, size, root, nodes):
    if old_size == size:
        return old_root == root and not nodes
    if not 0 < old_size < size:
        return False
    if old_size & (old_size - 1) == 0:
        nodes = [old_root] + nodes
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    then = now = nodes[0]
    for other in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            then, now = sha(b"\1", other, then), sha(b"\1", other, now)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            now = sha(b"\1", now, other)
        at, last = at >> 1, last >> 1
    return not last and then == old_root and now == root


proof = json.load(sys.stdin)
nodes = [bytes.fromhex(node) for node in proof["proof"]]
size, root = opened(proof["checkpoint"])
if "old_checkpoint" in proof:
    old_size, old_root = opened(proof["old_checkpoint"])
    if not grown(old_size, old_root, size, root, nodes):
        sys.exit("the trail did not grow from the one to the other")
    print(f"the {size} records begin with the {old_size} that {name} signed before")
else:
    if not included(proof, size, root, nodes):
        sys.exit("the record is not in the tree")
    print(f"record {proof['record']} is among the {size} that {name} signed")
