//! How one response is to be made: the session under its own overrides.

use serde_json::{Map, Value, json};

use crate::effective::Session;

/// The settings of one response.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) speaks: bool,
    pub(crate) max_output_tokens: Value,
    pub(crate) format: Value,
    pub(crate) voice: Value,
    pub(crate) instructions: String,
    pub(crate) tools: Vec<Value>,
    pub(crate) tool_choice: Value,
    pub(crate) metadata: Value,
    /// Whether it belongs to the conversation, or stands beside it.
    pub(crate) in_conversation: bool,
    /// Items to answer instead of the conversation.
    pub(crate) input: Option<Vec<Value>>,
}

impl Settings {
    /// The session's settings with those of a `response.create` over them.
    pub(crate) fn new(session: &Session, overrides: &Map<String, Value>) -> Self {
        let pick = |name: &str| {
            let own = overrides.get(name).filter(|value| !value.is_null());
            own.or_else(|| session.get(name))
                .cloned()
                .unwrap_or(Value::Null)
        };
        let modalities = pick("output_modalities");
        let output = |name: &str| {
            let of = |members: &Map<String, Value>| {
                members.get("audio")?.get("output")?.get(name).cloned()
            };
            of(overrides).or_else(|| of(session)).unwrap_or(Value::Null)
        };
        let tools = pick("tools").as_array().cloned().unwrap_or_default();
        Self {
            speaks: !modalities
                .as_array()
                .is_some_and(|all| *all == [json!("text")]),
            max_output_tokens: pick("max_output_tokens"),
            format: output("format"),
            voice: output("voice"),
            instructions: pick("instructions").as_str().unwrap_or_default().to_owned(),
            tools,
            tool_choice: pick("tool_choice"),
            metadata: overrides.get("metadata").cloned().unwrap_or(Value::Null),
            in_conversation: overrides.get("conversation").is_none_or(|it| it != "none"),
            input: overrides.get("input").and_then(Value::as_array).cloned(),
        }
    }

    /// `["audio"]` or `["text"]`.
    pub(crate) fn modalities(&self) -> Value {
        if self.speaks {
            json!(["audio"])
        } else {
            json!(["text"])
        }
    }

    /// The names of the function tools, unless the choice forbids tools.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &str> {
        let forbidden = self.tool_choice == "none";
        let tools = self.tools.iter().filter(move |_| !forbidden);
        let functions =
            tools.filter(|tool| tool.get("type").is_some_and(|kind| kind == "function"));
        functions.filter_map(|tool| tool.get("name")?.as_str())
    }

    /// The function the choice insists on.
    pub(crate) fn forced_function(&self) -> Option<&str> {
        let named = self.tool_choice.get("name").and_then(Value::as_str);
        let required = (self.tool_choice == "required").then(|| self.functions().next());
        named.or(required.flatten())
    }

    /// Most tokens the response may have.
    pub(crate) fn token_limit(&self) -> u64 {
        self.max_output_tokens.as_u64().unwrap_or(u64::MAX)
    }
}
