//! The text of a variable or flag to a value of the member's type.

use serde_json::Value as Json;

use crate::document::{Fault, Node, Value};
use crate::problem::Origin;
use crate::shape::{Kind, Subschema};

/// Reads a text as the schema wants it. The text may be secret: a fault does not repeat it.
pub(super) fn parse(schema: Subschema<'_>, text: &str, origin: &Origin) -> Result<Node, Fault> {
    let value = match schema.kind() {
        Kind::Text => Value::Text(text.to_owned()),
        Kind::TextOrList if !text.contains(',') => Value::Text(text.to_owned()),
        Kind::TextOrList => list(schema.list_branch(), text, origin)?,
        Kind::List => list(schema, text, origin)?,
        Kind::Boolean => Value::Bool(boolean(text)?),
        Kind::Integer => Value::Integer(text.trim().parse().map_err(|_| WHOLE)?),
        Kind::Number => Value::Float(number(text)?),
        Kind::Object | Kind::Any => return json(text, origin),
    };
    Ok(Node {
        origin: origin.clone(),
        value,
    })
}

const WHOLE: Fault = ("not a whole number", "Write digits, such as `30`");
const TABLE: Fault = (
    "not a JSON object",
    "Write `{\"name\": …}`, or set its members one by one",
);

/// Items separated by commas; white space around an item is not part of it.
fn list(schema: Subschema<'_>, text: &str, origin: &Origin) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Ok(Value::List(Vec::new()));
    }
    if schema.items().kind() == Kind::Object {
        return json(text, origin).map(|node| node.value);
    }
    let items = text
        .split(',')
        .map(|item| parse(schema.items(), item.trim(), origin));
    items.collect::<Result<_, _>>().map(Value::List)
}

fn boolean(text: &str) -> Result<bool, Fault> {
    match text.trim() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(("neither true nor false", "Write `true` or `false`")),
    }
}

fn number(text: &str) -> Result<f64, Fault> {
    let number = text
        .trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite());
    number.ok_or(("not a number", "Write a number, such as `2.5`"))
}

fn json(text: &str, origin: &Origin) -> Result<Node, Fault> {
    let json: Json = serde_json::from_str(text).map_err(|_| TABLE)?;
    Ok(Node::from_json(json, origin))
}
