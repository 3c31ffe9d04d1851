//! The OpenAPI document is whole, and the repository's copy is this one.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::unauthorised::operations;

fn document() -> Value {
    serde_json::from_str(&hallpass_http::openapi_json()).unwrap()
}

/// Each operation with its name for messages.
fn described() -> Vec<(String, Value)> {
    let document = document();
    let described = operations().map(|operation| {
        let method = operation.method.to_lowercase();
        let described = document["paths"][&operation.path][method].clone();
        (operation.to_string(), described)
    });
    described.collect()
}

#[test]
fn the_copy_in_the_repository_is_up_to_date() {
    let kept = include_str!("../../../../openapi/openapi.json");
    let differs = kept.trim_end() != hallpass_http::openapi_json().trim_end();
    assert!(!differs, "run `cargo xtask openapi` and commit the file");
}

#[test]
fn each_operation_has_a_name_of_its_own_and_says_what_it_does() {
    let mut names = BTreeSet::new();
    for (operation, described) in described() {
        let name = described["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{operation}: another is {name}");
        assert!(described["summary"].is_string(), "{operation}");
        assert_eq!(
            described["tags"].as_array().unwrap().len(),
            1,
            "{operation}"
        );
    }
}

#[test]
fn each_answer_is_described_and_each_error_has_a_body() {
    for (operation, described) in described() {
        for (status, answer) in described["responses"].as_object().unwrap() {
            assert_ne!(answer["description"], "", "{operation} {status}");
            if status.starts_with(['4', '5']) {
                assert!(answer["content"].is_object(), "{operation} {status}");
            }
        }
    }
}

#[test]
fn whatever_is_recorded_can_fail_to_be_and_whatever_has_limits_can_reach_them() {
    for (operation, described) in described() {
        let answers = &described["responses"];
        if described.get("security").is_some() {
            assert!(answers.get("503").is_some(), "{operation}");
            assert!(answers.get("500").is_some(), "{operation}");
        }
        for status in ["429", "503"] {
            let Some(answer) = answers.get(status).filter(|_| operation != "GET /readyz") else {
                continue;
            };
            let told = answer["headers"].get("retry-after").is_some();
            assert!(told, "{operation} {status} says when to come back");
        }
    }
}

#[test]
fn nothing_in_the_document_looks_like_a_secret() {
    let text = hallpass_http::openapi_json();
    for prefix in ["ek_", "sk-", "hp_svc_", "hp_adm_"] {
        assert!(!text.contains(prefix), "{prefix}");
    }
}
