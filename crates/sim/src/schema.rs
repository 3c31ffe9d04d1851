//! Which members OpenAI accepts, and what it says of the others.

mod tables;

use serde_json::Value;

use crate::error::ApiError;

pub(crate) use tables::{ITEM, MINT, REALTIME, RESPONSE, TRANSCRIPTION};

/// What a member's value must be.
#[derive(Debug)]
pub(crate) enum Rule {
    /// Anything: checked elsewhere, or not at all.
    Any,
    Text,
    Bool,
    Integer(i64, i64),
    Decimal(f64, f64),
    Choice(&'static [&'static str]),
    Object(&'static [Member]),
    List(&'static Rule),
    /// Text goes to the first rule, everything else to the second.
    TextOr(&'static Rule, &'static Rule),
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    name: &'static str,
    rule: Rule,
    nullable: bool,
}

impl Member {
    const fn new(name: &'static str, rule: Rule) -> Self {
        Self {
            name,
            rule,
            nullable: false,
        }
    }

    const fn nullable(name: &'static str, rule: Rule) -> Self {
        Self {
            name,
            rule,
            nullable: true,
        }
    }
}

/// Checks the members of an object at `path`; the first fault is the answer.
pub(crate) fn check(members: &[Member], object: &Value, path: &str) -> Result<(), ApiError> {
    let Some(object) = object.as_object() else {
        return Err(wrong_type(path, "an object", object));
    };
    for (name, value) in object {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let Some(member) = members.iter().find(|member| member.name == name) else {
            return Err(ApiError::unknown_parameter(&path));
        };
        if !(member.nullable && value.is_null()) {
            member.rule.check(value, &path)?;
        }
    }
    Ok(())
}

impl Rule {
    fn check(&self, value: &Value, path: &str) -> Result<(), ApiError> {
        match self {
            Self::Any => Ok(()),
            Self::Text if value.is_string() => Ok(()),
            Self::Text => Err(wrong_type(path, "a string", value)),
            Self::Bool if value.is_boolean() => Ok(()),
            Self::Bool => Err(wrong_type(path, "a boolean", value)),
            Self::Integer(least, most) => integer(value, *least, *most, path),
            Self::Decimal(least, most) => decimal(value, *least, *most, path),
            Self::Choice(choices) => choice(value, choices, path),
            Self::Object(members) => check(members, value, path),
            Self::List(rule) => list(value, rule, path),
            Self::TextOr(text, _) if value.is_string() => text.check(value, path),
            Self::TextOr(_, other) => other.check(value, path),
        }
    }
}

fn integer(value: &Value, least: i64, most: i64, path: &str) -> Result<(), ApiError> {
    let Some(number) = value.as_i64() else {
        return Err(wrong_type(path, "an integer", value));
    };
    let (side, code, sign, bound) = match number {
        _ if number < least => ("below minimum", "integer_below_min_value", ">=", least),
        _ if number > most => ("above maximum", "integer_above_max_value", "<=", most),
        _ => return Ok(()),
    };
    let message = format!(
        "Invalid '{path}': integer {side} value. Expected a value {sign} {bound}, but got {number} instead."
    );
    Err(ApiError::parameter(code, path, message))
}

fn decimal(value: &Value, least: f64, most: f64, path: &str) -> Result<(), ApiError> {
    let Some(number) = value.as_f64() else {
        return Err(wrong_type(path, "a decimal", value));
    };
    let (side, code, sign, bound) = match number {
        _ if number < least => ("below minimum", "decimal_below_min_value", ">=", least),
        _ if number > most => ("above maximum", "decimal_above_max_value", "<=", most),
        _ => return Ok(()),
    };
    let message = format!(
        "Invalid '{path}': decimal {side} value. Expected a value {sign} {bound}, but got {number} instead."
    );
    Err(ApiError::parameter(code, path, message))
}

fn choice(value: &Value, choices: &[&str], path: &str) -> Result<(), ApiError> {
    let Some(text) = value.as_str() else {
        return Err(wrong_type(path, "a string", value));
    };
    if choices.contains(&text) {
        return Ok(());
    }
    Err(invalid_choice(text, choices, path))
}

/// A text that is none of those supported.
pub(crate) fn invalid_choice(given: &str, choices: &[&str], path: &str) -> ApiError {
    let given: String = given.chars().take(100).collect();
    let message = format!(
        "Invalid value: '{given}'. Supported values are: {}.",
        listed(choices)
    );
    ApiError::parameter("invalid_value", path, message)
}

/// `'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`.
fn listed(choices: &[&str]) -> String {
    let quoted: Vec<_> = choices.iter().map(|choice| format!("'{choice}'")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}

fn list(value: &Value, rule: &Rule, path: &str) -> Result<(), ApiError> {
    let Some(items) = value.as_array() else {
        return Err(wrong_type(path, "an array", value));
    };
    let mut numbered = items.iter().enumerate();
    numbered.try_for_each(|(index, item)| rule.check(item, &format!("{path}[{index}]")))
}

/// A value of another JSON type than wanted.
pub(crate) fn wrong_type(path: &str, wanted: &str, value: &Value) -> ApiError {
    let given = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let message = format!("Invalid type for '{path}': expected {wanted}, but got {given} instead.");
    ApiError::parameter("invalid_type", path, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(value: &Value) -> (Option<String>, Option<&'static str>) {
        let error = check(REALTIME, value, "session").unwrap_err();
        (error.param, error.code)
    }

    #[test]
    fn names_the_member_and_the_fault() {
        for (session, param, code) in [
            (json!({"bogus": 1}), "session.bogus", "unknown_parameter"),
            (
                json!({"audio": {"input": {"x": 1}}}),
                "session.audio.input.x",
                "unknown_parameter",
            ),
            (json!({"model": 1}), "session.model", "invalid_type"),
            (
                json!({"instructions": null}),
                "session.instructions",
                "invalid_type",
            ),
            (json!({"type": "voice"}), "session.type", "invalid_value"),
            (
                json!({"max_output_tokens": 0}),
                "session.max_output_tokens",
                "integer_below_min_value",
            ),
            (
                json!({"max_output_tokens": "all"}),
                "session.max_output_tokens",
                "invalid_value",
            ),
            (
                json!({"output_modalities": ["video"]}),
                "session.output_modalities[0]",
                "invalid_value",
            ),
            (
                json!({"audio": {"output": {"speed": 9}}}),
                "session.audio.output.speed",
                "decimal_above_max_value",
            ),
            (
                json!({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}),
                "session.audio.input.format.rate",
                "integer_below_min_value",
            ),
        ] {
            assert_eq!(
                refusal(&session),
                (Some(param.to_owned()), Some(code)),
                "{session}"
            );
        }
    }
}
