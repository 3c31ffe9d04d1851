//! Whom an item of the conversation speaks as.

use serde_json::Value;

/// Whether an item is one a user's client may add: it does not speak as system
/// or developer, and what it is can't be mistaken.
pub(super) fn is_a_users(item: &Value) -> bool {
    let Some(members) = item.as_object() else {
        return false;
    };
    let unmistakable = members
        .keys()
        .all(|name| name == "role" || !name.eq_ignore_ascii_case("role"));
    match members.get("role") {
        None => unmistakable && members.get("type").and_then(Value::as_str) != Some("message"),
        Some(Value::String(role)) => unmistakable && matches!(role.as_str(), "user" | "assistant"),
        Some(_) => false,
    }
}
