//! Every row of the vectors: keys in pieces, put together when the test runs.

use std::collections::BTreeMap;

use hallpass_scan::Detector;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    contexts: BTreeMap<String, String>,
    positives: Vec<Row>,
    false_positives: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    kind: String,
    parts: Vec<String>,
    #[serde(default)]
    context: Option<String>,
    must_find: bool,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("fixtures/secret_scan.json")).unwrap()
}

#[test]
fn every_row_that_must_be_found_is_found() {
    let detector = Detector::new().unwrap();
    let Vectors {
        contexts,
        positives,
        ..
    } = vectors();
    let mut missed = Vec::new();
    for row in positives.iter().filter(|row| row.must_find) {
        let key = row.parts.concat();
        let text = match &row.context {
            Some(context) => contexts[context].replace("<KEY>", &key),
            None => key,
        };
        let found = detector.detect(text.as_bytes());
        if found.len() != 1 {
            missed.push(format!(
                "{} {} {:?}: {found:?}",
                row.id, row.kind, row.context
            ));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!(positives.iter().filter(|row| row.must_find).count(), 81);
}

#[test]
fn no_false_positive_is_found_in_any_context() {
    let detector = Detector::new().unwrap();
    let Vectors {
        contexts,
        false_positives,
        ..
    } = vectors();
    assert_eq!(false_positives.len(), 12);
    for row in false_positives {
        let text = row.concat();
        for context in contexts.values() {
            let text = context.replace("<KEY>", &text);
            let found = detector.detect(text.as_bytes());
            assert!(found.is_empty(), "{text}: {found:?}");
        }
    }
}
