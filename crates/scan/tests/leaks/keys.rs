//! Random fakes of every kind of key: made when the test runs, so that no file
//! holds one.

/// A small generator with a fixed seed: the same keys in every run.
pub(crate) struct Chance(u64);

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const URL_SAFE: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
const HEX: &[u8] = b"0123456789abcdef";

/// Kinds of keys, by name.
pub(crate) const KINDS: [&str; 14] = [
    "user",
    "proj-20",
    "proj-58",
    "proj-74",
    "svcacct-47",
    "svcacct-58",
    "svcacct-74",
    "admin-58",
    "none-20",
    "service",
    "unmarked",
    "ek-32",
    "hallpass-key",
    "hallpass-pass",
];

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .map(|_| char::from(*self.pick(alphabet)))
            .collect()
    }

    fn marked(&mut self, prefix: &str, alphabet: &[u8], side: usize) -> String {
        let marker = ["T3Blb", "kFJ"].concat();
        let (left, right) = (self.text(alphabet, side), self.text(alphabet, side));
        format!("{prefix}{left}{marker}{right}")
    }

    /// A key of one of [`KINDS`].
    pub(crate) fn key(&mut self, kind: &str) -> String {
        let prefix = |name: &str| format!("{}{name}", ["s", "k-"].concat());
        match kind {
            "user" => self.marked(&prefix(""), BASE62, 20),
            "proj-20" => self.marked(&prefix("proj-"), BASE62, 20),
            "proj-58" => self.marked(&prefix("proj-"), URL_SAFE, 58),
            "proj-74" => self.marked(&prefix("proj-"), URL_SAFE, 74),
            "svcacct-47" => self.marked(&prefix("svcacct-"), URL_SAFE, 47),
            "svcacct-58" => self.marked(&prefix("svcacct-"), URL_SAFE, 58),
            "svcacct-74" => self.marked(&prefix("svcacct-"), URL_SAFE, 74),
            "admin-58" => self.marked(&prefix("admin-"), URL_SAFE, 58),
            "none-20" => self.marked(&prefix("None-"), BASE62, 20),
            "service" => self.marked(&prefix("service-mailer-"), BASE62, 20),
            "unmarked" => format!("{}{}", prefix("proj-"), self.text(URL_SAFE, 156)),
            "ek-32" => format!("{}{}", ["e", "k_"].concat(), self.text(HEX, 32)),
            "hallpass-key" => {
                let (id, secret) = (self.text(BASE62, 12), self.text(BASE62, 32));
                summed(&format!("{}svc_{id}_{secret}", ["h", "p_"].concat()))
            }
            "hallpass-pass" => {
                let (id, secret) = (self.text(HEX, 32), self.text(BASE62, 32));
                summed(&format!("{}hp_{id}_{secret}", ["e", "k_"].concat()))
            }
            other => panic!("no kind {other}"),
        }
    }
}

fn summed(body: &str) -> String {
    let mut value = crc32(body.as_bytes());
    let mut digits = [0; 6];
    for place in digits.iter_mut().rev() {
        *place = BASE62[(value % 62) as usize];
        value /= 62;
    }
    format!("{body}{}", std::str::from_utf8(&digits).unwrap())
}

/// CRC-32 by its definition.
fn crc32(bytes: &[u8]) -> u32 {
    let mut value = u32::MAX;
    for byte in bytes {
        value ^= u32::from(*byte);
        for _ in 0..8 {
            value = (value >> 1) ^ (0xedb8_8320 & (value & 1).wrapping_neg());
        }
    }
    !value
}
