//! What is told of a find, and that the secret never is.

use hallpass_scan::{Baseline, Detector, KnownKeys, Outcome, Rule, Scanner, report};

use crate::keys::{Chance, KINDS};

fn scanned(text: &str) -> Outcome {
    let scanner = Scanner::new(Detector::new().unwrap());
    scanner.text("dist/app.js", text.as_bytes());
    scanner.finish()
}

/// Every way of telling an outcome.
fn told(outcome: &Outcome) -> [String; 5] {
    [
        report::text(outcome, false),
        report::text(outcome, true),
        report::json(outcome).to_string(),
        report::sarif(outcome).to_string(),
        Baseline::of(&outcome.findings).unwrap(),
    ]
}

#[test]
fn no_report_shows_a_secret() {
    let mut chance = Chance::new(17);
    for kind in KINDS {
        let key = chance.key(kind);
        let outcome = scanned(&format!("k='{key}'"));
        assert_eq!(outcome.findings.len(), 1, "{kind}");
        for report in told(&outcome) {
            // Any twelve characters in a row are more than prefix and end show.
            let shown = key
                .as_bytes()
                .windows(12)
                .skip(8)
                .any(|part| report.contains(std::str::from_utf8(part).unwrap()));
            assert!(!shown, "{kind}: {report}");
        }
        assert!(
            report::text(&outcome, false).contains(&key[key.len() - 4..]),
            "{kind}"
        );
        let leaks = Detector::new().unwrap().detect(key.as_bytes());
        assert!(!format!("{leaks:?}").contains(&key[8..20]), "{kind}");
    }
}

#[test]
fn text_tells_where_and_what_to_do() {
    let key = Chance::new(19).key("proj-58");
    let text = report::text(&scanned(&format!("a\nb '{key}'")), false);
    assert!(text.contains("OpenAI project key  sk-proj-…"), "{text}");
    assert!(text.contains("dist/app.js:2:4"), "{text}");
    assert!(text.contains("1 leak found in 1 texts"), "{text}");
    assert!(text.contains("Delete the key at OpenAI"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn names_cannot_steer_a_terminal() {
    let key = Chance::new(19).key("proj-58");
    let scanner = Scanner::new(Detector::new().unwrap());
    scanner.text("a\u{1b}[2J\nb\u{202e}", key.as_bytes());
    let text = report::text(&scanner.finish(), false);
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text}"
    );
}

#[test]
fn sarif_has_the_shape_that_code_hosts_read() {
    let mut chance = Chance::new(23);
    let text = KINDS.map(|kind| chance.key(kind)).join("\n");
    let log = report::sarif(&scanned(&text));
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), Rule::ALL.len());
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), KINDS.len());
    for (line, result) in results.iter().enumerate() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "dist/app.js");
        assert_eq!(place["region"]["startLine"], line + 1);
        assert_eq!(place["region"]["startColumn"], 1);
        assert_eq!(
            result["partialFingerprints"]["secret/v1"]
                .as_str()
                .unwrap()
                .len(),
            32
        );
    }
}

#[test]
fn a_baseline_accepts_what_it_was_made_of_and_nothing_else() {
    let mut chance = Chance::new(29);
    let (old, new) = (chance.key("proj-74"), chance.key("proj-74"));
    let before = scanned(&old);
    let baseline = Baseline::parse(&Baseline::of(&before.findings).unwrap()).unwrap();
    let after = scanned(&format!("{old} {new}"));
    let left: Vec<bool> = after
        .findings
        .iter()
        .map(|finding| baseline.accepts(finding))
        .collect();
    assert_eq!(left, [true, false]);
    assert!(Baseline::parse("{}").is_err());
    assert!(Baseline::parse(r#"{"version":2,"accepted":[]}"#).is_err());
}

#[test]
fn known_keys_are_found_by_their_keyed_hash_whatever_their_form() {
    let mut chance = Chance::new(31);
    let openai = chance.key("svcacct-58");
    let azure: String = chance.key("unmarked")[8..92].replace(['-', '_'], "x");
    let mut known = KnownKeys::generate().unwrap();
    known.add("azure", &azure).unwrap();
    known.add("main", &openai).unwrap();
    let file = known.to_json().unwrap();
    assert!(
        !file.contains(&azure[..12]) && !file.contains(&openai[12..24]),
        "{file}"
    );
    assert!(known.add("short", "abc").is_err());
    assert!(known.add("blank", "a b c d e f g h i j k l m n").is_err());

    let detector = Detector::new()
        .unwrap()
        .with_known_keys(KnownKeys::parse(&file).unwrap());
    let scanner = Scanner::new(detector);
    scanner.text(
        "app.js",
        format!("a='{azure}'\nb='{openai}'\nc='{}x'", &azure[1..]).as_bytes(),
    );
    let outcome = scanner.finish();
    let found: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| {
            (
                finding.position.line,
                finding.rule,
                finding.known_as.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (1, Rule::DeploymentKey, Some("azure")),
            (2, Rule::DeploymentKey, Some("main"))
        ]
    );
    let baseline = Baseline::parse(&Baseline::of(&outcome.findings).unwrap()).unwrap();
    assert!(
        !baseline.accepts(&outcome.findings[0]),
        "a key in use is never accepted"
    );
}
