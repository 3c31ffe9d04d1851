//! TOML text to a tree of values with lines and columns.

use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, Fault, Node, Value};
use crate::problem::{Origin, Problem};

/// Reads a file's text; lines that are not TOML are reported.
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
        value: reader.table(table.get_ref()),
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

    fn table(&self, table: &DeTable<'_>) -> Value {
        let members = table.iter().map(|(name, value)| {
            let name_origin = self.lines.origin(name.span());
            let node = self.node(value);
            (name.get_ref().to_string(), Entry { name_origin, node })
        });
        Value::Table(members.collect())
    }

    fn node(&self, value: &Spanned<DeValue<'_>>) -> Node {
        let origin = self.lines.origin(value.span());
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Value::Unusable(TOO_LARGE), Value::Integer),
            DeValue::Float(digits) => match digits.as_str().parse() {
                Ok(number) if f64::is_finite(number) => Value::Float(number),
                _ => Value::Unusable(NOT_FINITE),
            },
            DeValue::Datetime(_) => Value::Unusable(DATE),
            DeValue::Array(items) => {
                Value::List(items.iter().map(|item| self.node(item)).collect())
            }
            DeValue::Table(table) => self.table(table),
        };
        Node { origin, value }
    }
}

const TOO_LARGE: Fault = ("the number is too large", "Write a smaller one");
const NOT_FINITE: Fault = ("not a finite number", "Write a number such as `2.5`");
const DATE: Fault = ("a date, which no setting takes", "Put it in quotes");

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
