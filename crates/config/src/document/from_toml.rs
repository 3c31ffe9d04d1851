//! TOML text to a tree of values with lines and columns.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Node, Value, join};
use crate::problem::{Origin, Problem};

/// Reads a file's text; what cannot be read is left out and reported.
pub(crate) fn read_toml(text: &str, file: &str) -> (Node, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        lines: Lines::new(text, file),
        problems: Vec::new(),
    };
    for error in errors {
        reader.syntax(&error);
    }
    let root = Node {
        origin: reader.lines.origin(0..0),
        value: reader.table(table.get_ref(), ""),
    };
    (root, reader.problems)
}

struct Reader<'t> {
    lines: Lines<'t>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn syntax(&mut self, error: &toml::de::Error) {
        // The message may quote what it expected, never what it found.
        self.problems.push(Problem {
            origin: self.lines.origin(error.span().unwrap_or(0..0)),
            path: String::new(),
            what: format!("not valid TOML: {}", error.message().replace('\n', "; ")),
            remedy: "Correct this line".to_owned(),
        });
    }

    fn table(&mut self, table: &DeTable<'_>, path: &str) -> Value {
        let mut members = std::collections::BTreeMap::new();
        for (name, value) in table {
            let member = join(path, name.get_ref());
            let Some(node) = self.node(value, &member) else {
                continue;
            };
            let name_origin = self.lines.origin(name.span());
            members.insert(name.get_ref().to_string(), Entry { name_origin, node });
        }
        Value::Table(members)
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Option<Node> {
        let origin = self.lines.origin(value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(digits) => {
                match i64::from_str_radix(digits.as_str(), digits.radix()) {
                    Ok(number) => Value::Integer(number),
                    Err(_) => {
                        return self.refuse(
                            origin,
                            path,
                            "the number is too large",
                            "Write a smaller one",
                        );
                    }
                }
            }
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) if f64::is_finite(number) => Value::Float(number),
                _ => {
                    return self.refuse(
                        origin,
                        path,
                        "not a finite number",
                        "Write a number such as 2.5",
                    );
                }
            },
            DeValue::Datetime(_) => {
                return self.refuse(
                    origin,
                    path,
                    "a date, which nothing here takes",
                    "Put it in quotes",
                );
            }
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                Value::List(
                    items
                        .filter_map(|(i, item)| self.node(item, &format!("{path}[{i}]")))
                        .collect(),
                )
            }
            DeValue::Table(table) => self.table(table, path),
        };
        Some(Node { origin, value })
    }

    fn refuse(&mut self, origin: Origin, path: &str, what: &str, remedy: &str) -> Option<Node> {
        self.problems.push(Problem {
            origin,
            path: path.to_owned(),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        });
        None
    }
}

/// Turns byte offsets into lines and columns.
struct Lines<'t> {
    text: &'t str,
    file: Arc<str>,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str, file: &str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            file: file.into(),
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        let line = self
            .starts
            .partition_point(|start| *start <= span.start)
            .max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..span.start).unwrap_or_default();
        Origin::File {
            file: Arc::clone(&self.file),
            line,
            column: before.chars().count() + 1,
        }
    }
}
