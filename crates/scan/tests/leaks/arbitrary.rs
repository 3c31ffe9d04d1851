//! Any input: no panic, and a cost that grows with its length alone.

use hallpass_scan::{Detector, Scanner};
use proptest::prelude::*;

use crate::keys::{Chance, KINDS};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let detector = Detector::new().unwrap();
        let _ = detector.detect(&bytes);
        Scanner::new(Detector::new().unwrap()).text("x.map", &bytes);
    }

    /// Texts made of the very pieces that make the detector look closer.
    #[test]
    fn no_mixture_of_needles_panics(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..300)) {
        let text = pieces.concat();
        let detector = Detector::new().unwrap();
        for leak in detector.detect(text.as_bytes()) {
            prop_assert!(leak.span.end <= text.len());
        }
    }

    #[test]
    fn a_key_is_found_in_any_surroundings(
        seed in any::<u64>(),
        kind in prop::sample::select(KINDS.to_vec()),
        before in "[ -~\\n]{0,60}[ \"'=:(,>]",
        after in "[\"'&<>,;)} \\n\\\\]\\PC{0,60}",
    ) {
        let key = Chance::new(seed).key(kind);
        let plain = Detector::new().unwrap().detect(key.as_bytes());
        let text = format!("{before}{key}{after}");
        let found = Detector::new().unwrap().detect(text.as_bytes());
        prop_assert!(found.iter().any(|leak| leak.fingerprint() == plain[0].fingerprint()), "{:?}", found);
    }
}

const PIECES: [&str; 30] = [
    "sk-proj-",
    "sk-",
    "sk-admin-",
    "ek_",
    "ek_hp_",
    "hp_svc_",
    "T3Blb",
    "kFJ",
    "c2st",
    "H4sI",
    "\\x73\\x6b",
    "\\u0073",
    "%73%6b",
    "&#115;",
    "\"",
    "'",
    "`",
    "+",
    "\"+\"",
    "[",
    "].join(\"\")",
    ".concat(",
    "${\"",
    "}",
    "\\",
    "\0",
    "s\0k\0-\0",
    "115,107,45,",
    "0123456789abcdefABCDEF",
    "\n",
];

/// A quarter of a megabyte of what makes the detector look closer, again and again. A
/// cost that grew with the square would take minutes here.
#[test]
fn long_runs_of_needles_end() {
    let detector = Detector::new().unwrap();
    let marker = ["T3Blb", "kFJ"].concat();
    for piece in [
        "sk-proj-",
        "ek_",
        "ek_hp_",
        "hp_svc_",
        marker.as_str(),
        "c2stcHJvai0",
        "ZWtf",
        "H4sI",
        "656b5f",
        "\\x73\\x6b",
        "\\x2d",
        "%2D",
        "s\0k\0-\0",
        "115,107,45,",
        "\"+\"",
        "\"\"+",
        "['a'].join('')",
        "'a',",
        "${\"a\"}",
        "\"a\".concat(",
        "+",
        "\"",
        "\\",
        "OPENAI",
        "VITE_OPENAI_KEY=",
    ] {
        let text = piece.repeat(LONG / piece.len());
        let _ = detector.detect(text.as_bytes());
    }
}

const LONG: usize = 256 * 1024;
