//! What the simulated model says.

use super::{conversation::Item, settings::Settings};

/// The content of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Words, spoken or written; each keeps the space before it.
    Words(Vec<String>),
    /// A call of a function tool.
    Function { name: String },
}

/// What begins a line of the instructions that is to be said.
const SCRIPTED: &str = "Ask: ";

/// Longest part of the user's text that is repeated, characters.
const ECHO: usize = 200;

/// Calls a tool the user mentions; otherwise says the next line of its script,
/// or, without one, what it understood.
pub(crate) fn compose(settings: &Settings, items: &[Item], asked: Option<&Item>) -> Reply {
    let text = asked.map(Item::text).unwrap_or_default();
    let mentioned = settings
        .functions()
        .find(|name| !name.is_empty() && text.contains(name));
    if let Some(name) = settings.forced_function().or(mentioned) {
        return Reply::Function {
            name: name.to_owned(),
        };
    }
    if let Some(line) = scripted(settings, items) {
        return Reply::Words(words(line));
    }
    let sentence = match asked {
        None => "I am a simulated model. Say something.".to_owned(),
        Some(item) if text.trim().is_empty() => {
            let seconds = item.audio_ms as f64 / 1000.0;
            format!("I am a simulated model. I heard {seconds:.1} seconds of audio.")
        }
        Some(_) => {
            let echo: String = text.chars().take(ECHO).collect();
            format!("I am a simulated model. You said: {echo}")
        }
    };
    Reply::Words(words(&sentence))
}

/// The line whose turn it is: the conversation itself tells how many were said.
fn scripted<'s>(settings: &'s Settings, items: &[Item]) -> Option<&'s str> {
    let said = items.iter().filter(|item| item.is_of_assistant()).count();
    let lines = settings.instructions.lines();
    let mut script = lines.filter_map(|line| line.trim().strip_prefix(SCRIPTED));
    let next = script.clone().nth(said);
    next.or_else(|| script.next_back())
}

fn words(sentence: &str) -> Vec<String> {
    let split = sentence.split_whitespace().enumerate();
    let word = |(index, word): (usize, &str)| match index {
        0 => word.to_owned(),
        _ => format!(" {word}"),
    };
    split.map(word).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn settings(instructions: &str) -> Settings {
        let session = json!({ "instructions": instructions });
        Settings::new(&members(&session), &Map::new())
    }

    fn members(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn said(role: &str) -> Item {
        let text = json!({"type": "message", "role": role, "content": [{"type": "input_text", "text": "x"}]});
        Item::new(members(&text), "item_1", 0)
    }

    #[test]
    fn a_script_is_said_line_by_line_and_then_its_last() {
        let settings = settings("Be kind.\nAsk: First?\n  Ask: Second?");
        let mut items = Vec::new();
        for expected in ["First?", "Second?", "Second?"] {
            let reply = compose(&settings, &items, items.last());
            assert_eq!(reply, Reply::Words(words(expected)));
            items.extend([said("assistant"), said("user")]);
        }
    }

    #[test]
    fn without_a_script_it_repeats_what_it_understood() {
        let items = [said("user")];
        let reply = compose(&settings("Ask nothing."), &items, items.last());
        assert_eq!(
            reply,
            Reply::Words(words("I am a simulated model. You said: x"))
        );
    }
}
