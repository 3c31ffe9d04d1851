//! The settings in force as TOML, each with where it was set.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

use crate::document::{Origins, join};
use crate::load::Loaded;
use crate::schema::sorted;

impl Loaded {
    /// The effective settings as TOML, secrets hidden, origins as comments.
    ///
    /// Members that are not set are left out.
    pub fn to_toml(&self) -> String {
        let Ok(Json::Object(members)) = serde_json::to_value(&self.config).map(sorted) else {
            return String::new();
        };
        let mut printer = Printer {
            text: String::new(),
            origins: &self.origins,
        };
        printer.members(&members, "");
        printer.text.trim_start().to_owned()
    }
}

struct Printer<'o> {
    text: String,
    origins: &'o Origins,
}

impl Printer<'_> {
    /// Plain members first: in TOML, what follows a header belongs to it.
    fn members(&mut self, members: &Map<String, Json>, path: &str) {
        for (name, value) in members.iter().filter(|(_, value)| !is_section(value)) {
            if !is_unset(value) && !is_read_from_file(name, members) {
                self.plain(name, value, path);
            }
        }
        for (name, value) in members {
            self.section(value, &join(path, name));
        }
    }

    fn plain(&mut self, name: &str, value: &Json, path: &str) {
        let Ok(value) = toml::Value::try_from(value) else {
            return;
        };
        let origin = self.origins.exact(&join(path, name));
        let name = join("", name);
        // Writing to a String does not fail.
        let _ = writeln!(self.text, "{name} = {value}  # {origin}");
    }

    fn section(&mut self, value: &Json, path: &str) {
        match value {
            Json::Object(members) => {
                if members
                    .iter()
                    .any(|(_, value)| !is_unset(value) && !is_section(value))
                {
                    let _ = writeln!(self.text, "\n[{}]", header(path));
                }
                self.members(members, path);
            }
            Json::Array(items) if is_section(value) => {
                for (index, item) in items.iter().enumerate() {
                    let _ = writeln!(self.text, "\n[[{}]]", header(path));
                    if let Json::Object(members) = item {
                        self.members(members, &format!("{path}[{index}]"));
                    }
                }
            }
            _ => {}
        }
    }
}

/// The path as a TOML header: list positions are not part of it.
fn header(path: &str) -> String {
    let mut header = String::new();
    let mut is_index = false;
    let mut is_quoted = false;
    for c in path.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            '[' if !is_quoted => is_index = true,
            _ => {}
        }
        if !is_index {
            header.push(c);
        }
        if c == ']' && !is_quoted {
            is_index = false;
        }
    }
    header
}

/// Tables and lists of tables get a header of their own.
fn is_section(value: &Json) -> bool {
    match value {
        Json::Object(_) => true,
        Json::Array(items) => !items.is_empty() && items.iter().all(Json::is_object),
        _ => false,
    }
}

fn is_unset(value: &Json) -> bool {
    value.is_null()
}

/// A secret from a file is shown by the file's name alone.
fn is_read_from_file(name: &str, members: &Map<String, Json>) -> bool {
    members
        .get(&format!("{name}_file"))
        .is_some_and(Json::is_string)
}
