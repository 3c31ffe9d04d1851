//! What looks like a key and is none.

use base64::{Engine, prelude::BASE64_STANDARD};
use hallpass_scan::Detector;

use crate::keys::Chance;

#[test]
fn near_misses_are_not_found() {
    let detector = Detector::new().unwrap();
    for text in [
        "disk-service-account-name-for-production-monitoring-of-everything-here",
        "const risk_week_68af296e8e408191a1120ab6383263c2 = 1",
        "prev_ek_68af296e8e408191a1120ab6383263c2",
        "seek_0123456789abcdef0123456789abcdef",
        "ek_68af296e8e408191a1120ab638326",
        "ek_00000000000000000000000000000000",
        "ek_0123456789abcdef0123456789abcdef",
        "ek_your_ephemeral_key_goes_right_here_please",
        "php_value_upload_max_filesize_and_other_settings_of_servers",
        "hp_svc_identifier_of_something_else_that_is_long_enough_here",
        ".sk-admin-panel__header--is-active-and-visible-on-small-screens{color:red}",
        "sk-proj-panelHeader2WithAVeryLongCamelCaseNameOfAComponentInside",
        "sk-proj-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-proj-aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3aB3",
        "sk-proj-abc...xyz",
        "sk-svcacct-<your key>",
        "OPENAI_API_KEY=${OPENAI_API_KEY}",
        "T3BlbkFJT3BlbkFJT3BlbkFJT3BlbkFJT3BlbkFJ",
        "\"a\"+\"b\"+\"c\"; [\"x\",\"y\"].join(\"\")",
        "mask-proj-and-task-admin-are-words",
        "data:text/plain;base64,T3BlbkFJ",
    ] {
        let found = detector.detect(text.as_bytes());
        assert!(found.is_empty(), "{text}: {found:?}");
    }
    for x in ["sk-projxxxxxxxxxxxxxxxxxxxx", "sk-xxxxxxxxxxxxxxxxxxxx"] {
        let text = format!("{x}{}xxxxxxxxxxxxxxxxxxxx", ["T3Blb", "kFJ"].concat());
        assert!(detector.detect(text.as_bytes()).is_empty(), "{text}");
    }
}

#[test]
fn keys_of_others_are_not_found() {
    let detector = Detector::new().unwrap();
    let mut chance = Chance::new(11);
    for _ in 0..200 {
        let body = &chance.key("unmarked")[8..];
        for prefix in [
            ["sk-or", "-v1-"],
            ["sk-ant", "-api03-"],
            ["sk_", "live_"],
            ["pk_", "live_"],
            ["gh", "p_"],
            ["week", "_"],
        ] {
            let text = format!("key = '{}{body}'", prefix.concat());
            let found = detector.detect(text.as_bytes());
            assert!(found.is_empty(), "{}: {found:?}", prefix.concat());
        }
    }
}

#[test]
fn a_megabyte_of_random_base64_and_hex_holds_no_key() {
    let detector = Detector::new().unwrap();
    let mut chance = Chance::new(13);
    let bytes: Vec<u8> = (0..100_000)
        .flat_map(|_| chance.next().to_le_bytes())
        .collect();
    let font = format!(
        "url(data:font/woff2;base64,{})",
        BASE64_STANDARD.encode(&bytes)
    );
    assert!(detector.detect(font.as_bytes()).is_empty());
    let hexadecimal: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(detector.detect(hexadecimal.as_bytes()).is_empty());
    assert!(detector.detect(&bytes).is_empty());
}
