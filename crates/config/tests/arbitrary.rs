//! No text makes loading panic, and every problem names a place in it.
#![allow(missing_docs, reason = "the macro writes the tests")]

use std::collections::BTreeMap;
use std::path::Path;

use hallpass_config::{Loaded, Origin, Problems, Sources, from_toml_str, json_schema, load};
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("../../../hallpass.example.toml");

fn places_exist(text: &str, result: &Result<Loaded, Problems>) -> bool {
    let Err(problems) = result else {
        return true;
    };
    let lines = text.split('\n').count();
    problems.iter().all(|problem| match &problem.origin {
        Origin::File { line, column, .. } => (1..=lines).contains(line) && *column >= 1,
        _ => true,
    })
}

proptest! {
    #[test]
    fn any_text_is_loaded_or_refused(text in ".{0,200}") {
        let result = from_toml_str(&text, Path::new(""));
        prop_assert!(places_exist(&text, &result));
    }

    #[test]
    fn a_damaged_example_is_loaded_or_refused(start in 0..EXAMPLE.len(), length in 0_usize..80, patch in "[\\[\\]{}=\"'#.,\n a-z0-9é]{0,12}") {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, patch.bytes());
        let text = String::from_utf8_lossy(&bytes);
        let result = from_toml_str(&text, Path::new(""));
        prop_assert!(places_exist(&text, &result));
        if let Ok(loaded) = result {
            prop_assert!(toml::from_str::<toml::Table>(&loaded.to_toml()).is_ok());
        }
    }

    #[test]
    fn any_variable_is_taken_or_refused(name in "[A-Z_]{0,40}", text in ".{0,40}") {
        let environment = BTreeMap::from([(format!("HALLPASS_{name}"), text.clone())]);
        let flags = [(name.to_lowercase(), text)];
        let _ = load(Sources { file: None, environment: &environment, flags: &flags });
    }
}

#[test]
fn the_schema_names_every_section_and_does_not_change_between_calls() {
    let schema = json_schema();
    assert_eq!(schema, json_schema());
    for section in [
        "server", "store", "upstream", "auth", "profiles", "roles", "limits", "audit", "log",
    ] {
        assert!(schema.contains(&format!("\"{section}\": {{")), "{section}");
    }
}
