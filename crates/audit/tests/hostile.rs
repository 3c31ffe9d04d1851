//! Whatever text a caller sends, a record is one line and reads back the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's failure is a panic"
)]

mod support;

use std::{fs, sync::Arc};

use hallpass_audit::{OpenError, StoredRecord, TrailReader};
use hallpass_core::{
    audit::{AuditEvent, Outcome},
    code::Code,
    ids::{SessionId, Subject},
    ports::AuditLog,
};
use proptest::prelude::*;
use support::{check, open_hastily, quick_dir, segments};

/// Writes one record and gives back its line and what is read from it.
fn through_the_trail(event: AuditEvent) -> (String, StoredRecord) {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    drop(trail.append(event));
    drop(trail);
    assert_eq!(check(dir.path()).unwrap().records, 1);
    let text = fs::read_to_string(&segments(dir.path())[0]).unwrap();
    let record = TrailReader::open(dir.path()).unwrap().next().unwrap();
    (text, record.unwrap())
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn hostile_text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\u{2028}",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\0",
        "\u{1b}[31m",
        "\"",
        "\\",
        "\"}}]}\n",
        "\u{7f}",
        "\u{85}",
        "}}]}",
        "\\u0000",
        "\u{10ffff}",
        "value\":\"",
    ]);
    let piece = prop_oneof![nasty.prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_in_any_member_stays_on_its_line(text in hostile_text(), id in "[^\\p{Cc}]{1,60}") {
        let (_, mut event) = support::mint();
        let mut request = support::request();
        request.user_agent = Some(text.clone());
        request.origin = Some(text.clone());
        let mut caller = support::caller();
        caller.subject = Subject::new(id.clone()).unwrap();
        let mut grant = support::grant();
        grant.secret_last4.clone_from(&text);
        grant.session_id = Some(SessionId::new(id.clone()).unwrap());
        event.request = Some(Arc::new(request));
        event.caller = Some(Arc::new(caller));
        event.grant = Some(Arc::new(grant.clone()));
        event.facts = vec![("fact", text.clone())];
        event.outcome = Outcome::Failed { code: Code::Internal, reason: Some(text.clone()) };
        let (line, record) = through_the_trail(event);
        prop_assert_eq!(line.matches('\n').count(), 1);
        prop_assert!(line.ends_with('\n'));
        prop_assert!(!line.trim_end_matches('\n').chars().any(acts));
        prop_assert_eq!(record.user_agent.as_deref(), Some(text.as_str()));
        prop_assert_eq!(record.origin.as_deref(), Some(text.as_str()));
        prop_assert_eq!(record.reason.as_deref(), Some(text.as_str()));
        prop_assert_eq!(&record.facts["fact"], &text);
        prop_assert_eq!(record.subject.as_deref(), Some(id.as_str()));
        prop_assert_eq!(record.session_id.as_deref(), Some(id.as_str()));
        prop_assert_eq!(record.grant, Some(grant));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_at_the_end_are_cut_or_named_and_never_hide_a_record(
        junk in prop::collection::vec(any::<u8>(), 0..200),
        removed in 0_usize..200,
    ) {
        let dir = quick_dir();
        let (trail, _) = open_hastily(dir.path()).unwrap();
        for number in 0..3 {
            drop(trail.append(support::event(number)));
        }
        drop(trail);
        let path = segments(dir.path()).remove(0);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - removed);
        bytes.extend_from_slice(&junk);
        fs::write(&path, &bytes).unwrap();
        // A line feed in place of the one that was removed makes the line whole.
        let mended = removed == 1 && junk.first() == Some(&b'\n');
        let kept = 2 + u64::from(removed == 0 || mended);
        match open_hastily(dir.path()) {
            Ok((trail, recovery)) => {
                drop(trail);
                prop_assert_eq!(recovery.last_sequence, Some(kept - 1));
                let report = check(dir.path()).unwrap();
                prop_assert_eq!(report.records, kept + u64::from(recovery.cut.is_some()));
            }
            Err(OpenError::Damaged(bad)) => {
                prop_assert_eq!(bad.sequence, kept);
                prop_assert_eq!(fs::read(&path).unwrap(), bytes);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_record_over_the_longest_line_is_refused_and_the_trail_goes_on() {
    let dir = quick_dir();
    let (trail, _) = open_hastily(dir.path()).unwrap();
    let mut event = support::event(0);
    event.facts = vec![("fact", "x".repeat(2 << 20))];
    let error = trail.append(event).await.unwrap_err();
    assert!(error.to_string().contains("1 MiB"), "{error}");
    trail.append(support::event(1)).await.unwrap();
}
