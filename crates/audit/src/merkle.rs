//! The Merkle tree over the records' hashes, as RFC 6962 defines it.
//!
//! Entry `n` of the tree is the 32 bytes of the hash of record `n`.

use crate::chain::Hash;

/// A tree that grows at its right edge; it keeps what its root needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    /// The roots of the whole subtrees, largest first.
    peaks: Vec<Hash>,
}

impl Tree {
    /// A tree as it stood: its size and the roots of its whole subtrees.
    ///
    /// None when there can't be so many of them.
    #[must_use]
    pub fn restore(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// Adds the next record's hash.
    pub fn push(&mut self, record: Hash) {
        let mut node = leaf(record);
        let mut left = self.size;
        while left & 1 == 1 {
            let Some(peak) = self.peaks.pop() else { break };
            node = parent(peak, node);
            left >>= 1;
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// How many records it holds.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its whole subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The hash of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let joined = self.peaks.iter().rev().copied();
        joined
            .reduce(|right, left| parent(left, right))
            .unwrap_or_else(|| Hash::of(b""))
    }
}

/// The hash of an entry: of a zero byte and the record's hash.
fn leaf(record: Hash) -> Hash {
    let mut entry = [0; 33];
    entry[1..].copy_from_slice(record.as_bytes());
    Hash::of(&entry)
}

/// The hash of two subtrees: of a one byte and both.
fn parent(left: Hash, right: Hash) -> Hash {
    let mut node = [1; 65];
    node[1..33].copy_from_slice(left.as_bytes());
    node[33..].copy_from_slice(right.as_bytes());
    Hash::of(&node)
}

fn root_of(records: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    records.iter().for_each(|&record| tree.push(record));
    tree.root()
}

/// The largest power of two below a size above one.
const fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// Shows that a record is in the tree of these records.
///
/// None when there is no record of this number among them.
#[must_use]
pub fn inclusion_proof(records: &[Hash], number: usize) -> Option<Vec<Hash>> {
    if number >= records.len() {
        return None;
    }
    let (mut rest, mut number, mut proof) = (records, number, Vec::new());
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split(rest.len()));
        if number < left.len() {
            proof.push(root_of(right));
            rest = left;
        } else {
            proof.push(root_of(left));
            number -= left.len();
            rest = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Whether a proof shows that a tree holds a record.
#[must_use]
pub fn includes(root: Hash, size: u64, number: u64, record: Hash, proof: &[Hash]) -> bool {
    if number >= size {
        return false;
    }
    let (mut at, mut last, mut node) = (number, size - 1, leaf(record));
    for &other in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            node = parent(other, node);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            node = parent(node, other);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && node == root
}

/// Shows that the tree of these records begins with that of the first `size`.
///
/// None when there are not so many, or none are meant.
#[must_use]
pub fn consistency_proof(records: &[Hash], size: usize) -> Option<Vec<Hash>> {
    if size == 0 || size > records.len() {
        return None;
    }
    let (mut rest, mut size, mut is_whole, mut proof) = (records, size, true, Vec::new());
    while size < rest.len() {
        let (left, right) = rest.split_at(split(rest.len()));
        if size <= left.len() {
            proof.push(root_of(right));
            rest = left;
        } else {
            proof.push(root_of(left));
            size -= left.len();
            rest = right;
            is_whole = false;
        }
    }
    if !is_whole {
        proof.push(root_of(rest));
    }
    proof.reverse();
    Some(proof)
}

/// Whether a proof shows that a tree begins with an older one; each is given by
/// its size and root.
#[must_use]
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), proof: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 || old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    let shared = at.trailing_ones();
    (at, last) = (at.checked_shr(shared).unwrap_or(0), last >> shared.min(63));
    // A whole subtree is its own beginning; another one is in the proof.
    let (first, rest) = match proof.split_first() {
        _ if old_size.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut then, mut now) = (first, first);
    for &other in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (then, now) = (parent(other, then), parent(other, now));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            now = parent(now, other);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && then == old_root && now == new_root
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(count: u32) -> Vec<Hash> {
        (0..count).map(|n| Hash::of(&n.to_be_bytes())).collect()
    }

    /// The definition of RFC 6962, section 2.1, word for word.
    fn by_definition(records: &[Hash]) -> Hash {
        match records {
            [] => Hash::of(b""),
            [one] => leaf(*one),
            many => {
                let (left, right) = many.split_at(split(many.len()));
                parent(by_definition(left), by_definition(right))
            }
        }
    }

    #[test]
    fn the_empty_tree_and_a_tree_of_one_are_as_published() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Tree::default().root().to_string(), empty);
        let mut one = Tree::default();
        one.push(Hash::of(b"x"));
        let mut entry = vec![0];
        entry.extend_from_slice(Hash::of(b"x").as_bytes());
        assert_eq!(one.root(), Hash::of(&entry));
    }

    #[test]
    fn a_growing_tree_has_the_defined_root_at_each_size() {
        let records = records(130);
        let mut tree = Tree::default();
        for (size, &record) in records.iter().enumerate() {
            assert_eq!(tree.root(), by_definition(&records[..size]));
            let peaks = tree.peaks().to_vec();
            assert_eq!(Tree::restore(tree.size(), peaks), Some(tree.clone()));
            tree.push(record);
        }
        assert_eq!(Tree::restore(3, vec![]), None);
    }

    proptest! {
        #[test]
        fn a_proof_holds_for_its_record_and_for_no_other(
            size in 1_u32..70, number in 0_u32..70, other in 0_u32..70, flip in 0_usize..8,
        ) {
            prop_assume!(number < size && other != number);
            let records = records(size);
            let root = root_of(&records);
            let proof = inclusion_proof(&records, number as usize).unwrap();
            let record = records[number as usize];
            let holds = |number: u32, record, proof: &[Hash]| {
                includes(root, size.into(), number.into(), record, proof)
            };
            prop_assert!(holds(number, record, &proof));
            prop_assert!(!holds(other, record, &proof));
            prop_assert!(!holds(number, Hash::of(b"another"), &proof));
            let mut bent = proof.clone();
            if let Some(node) = bent.get_mut(flip) {
                *node = Hash::of(b"bent");
                prop_assert!(!holds(number, record, &bent));
            }
            bent = proof;
            bent.push(record);
            prop_assert!(!holds(number, record, &bent));
        }
    }

    #[test]
    fn each_tree_is_shown_to_begin_with_each_older_one_and_with_no_other() {
        let all = records(40);
        let trees: Vec<(u64, Hash)> = (0..=40)
            .map(|size| (size as u64, root_of(&all[..size])))
            .collect();
        for new in 1..=40 {
            for old in 1..=new {
                let proof = consistency_proof(&all[..new], old).unwrap();
                assert!(is_consistent(trees[old], trees[new], &proof), "{old} {new}");
                let forged = (trees[old].0, Hash::of(b"forged"));
                assert!(!is_consistent(forged, trees[new], &proof), "{old} {new}");
                let forged = (trees[new].0, Hash::of(b"forged"));
                assert!(!is_consistent(trees[old], forged, &proof), "{old} {new}");
                let mut longer = proof.clone();
                longer.push(Hash::of(b"more"));
                assert!(
                    !is_consistent(trees[old], trees[new], &longer),
                    "{old} {new}"
                );
                for place in 0..proof.len() {
                    let mut bent = proof.clone();
                    bent[place] = Hash::of(b"bent");
                    assert!(!is_consistent(trees[old], trees[new], &bent), "{old} {new}");
                }
            }
        }
        assert_eq!(consistency_proof(&all, 0), None);
        assert_eq!(consistency_proof(&all, 41), None);
    }

    #[test]
    fn there_is_no_proof_of_what_is_not_there() {
        assert_eq!(inclusion_proof(&records(3), 3), None);
        assert!(!includes(Hash::of(b""), 0, 0, Hash::of(b""), &[]));
    }
}
