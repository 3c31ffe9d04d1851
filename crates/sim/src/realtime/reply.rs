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

/// Longest part of the user's text that is repeated, characters.
const ECHO: usize = 200;

/// Calls a tool the user mentions; otherwise says what it understood.
pub(crate) fn compose(settings: &Settings, asked: Option<&Item>) -> Reply {
    let text = asked.map(Item::text).unwrap_or_default();
    let mentioned = settings
        .functions()
        .find(|name| !name.is_empty() && text.contains(name));
    if let Some(name) = settings.forced_function().or(mentioned) {
        return Reply::Function {
            name: name.to_owned(),
        };
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

fn words(sentence: &str) -> Vec<String> {
    let split = sentence.split_whitespace().enumerate();
    let word = |(index, word): (usize, &str)| match index {
        0 => word.to_owned(),
        _ => format!(" {word}"),
    };
    split.map(word).collect()
}
