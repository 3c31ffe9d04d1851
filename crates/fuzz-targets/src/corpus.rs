//! Inputs: the kept ones, and mutations of them from a seed.

use std::{fs, io, path::Path};

/// The seed of the smoke test's mutations.
pub const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Longest input that is made of others, in bytes.
const LONGEST: usize = 4096;

/// Pieces that parsers trip over.
const PIECES: [&[u8]; 18] = [
    b"",
    b"\0",
    b"\xff",
    b"\n",
    b".",
    b"..",
    b"=",
    b"\"",
    b"{",
    b"}",
    b"[[",
    b",",
    b"null",
    b"1e999",
    b"-0",
    b"\\ud800",
    b"\"sub\":\"\",",
    b"eyJhbGciOiJub25lIn0",
];

/// The kept inputs of a target, in the order of their names.
///
/// # Errors
///
/// When the folder or a file of it can't be read.
pub fn corpus(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let entries = fs::read_dir(folder.join(target))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(fs::read).collect()
}

/// Mutations of some inputs: the same for the same seed.
pub fn mutations(inputs: &[Vec<u8>], seed: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random(seed);
    std::iter::repeat_with(move || {
        let mut input = random.pick(inputs).cloned().unwrap_or_default();
        for _ in 0..=random.below(4) {
            mutate(&mut input, inputs, &mut random);
        }
        input.truncate(LONGEST);
        input
    })
}

fn mutate(input: &mut Vec<u8>, inputs: &[Vec<u8>], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = at + random.below(input.len() - at + 1);
    match random.below(6) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => drop(input.drain(at..end)),
        2 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        3 => drop(input.splice(
            at..end,
            random.pick(&PIECES).copied().unwrap_or_default().to_vec(),
        )),
        4 => {
            let other = random.pick(inputs).cloned().unwrap_or_default();
            let from = random.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            let byte = u8::try_from(random.below(256)).unwrap_or_default();
            input.insert(at, byte);
        }
    }
}

/// Small numbers that a seed repeats (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let drawn = usize::try_from(mixed >> 33).unwrap_or_default();
        drawn % bound.max(1)
    }

    fn pick<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T> {
        let at = self.below(list.len());
        list.get(at)
    }
}
