//! Checks a tree against the JSON schema: names, types, values and ranges.
//!
//! `serde` stops at the first error and knows no line; this goes on and names
//! every place. The schema comes from the same structs, so the two cannot drift.

mod format;
mod subschema;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::document::{Entry, Node, Value, join};
use crate::problem::{Origin, Problem};
use crate::suggest;

pub(crate) use subschema::{Kind, Subschema};

/// What is wrong with a text of a format, and the remedy; for one that did not
/// come from the tree.
pub(crate) fn format_fault(format: &str, text: &str) -> Option<(String, String)> {
    format::fault(format, text).map(|fault| (fault.what, fault.remedy))
}

/// Everything in the tree that the schema does not allow.
pub(crate) fn check_shape(schema: &Json, root: &Node) -> Vec<Problem> {
    check(schema, root, true)
}

/// The values of a wrong type, and the members nobody knows.
///
/// For a tree that another layer is laid over: what is missing, out of range or
/// not known there may be set right by it, but a value of a wrong type is a
/// mistake even where it is set aside.
pub(crate) fn check_types(schema: &Json, root: &Node) -> Vec<Problem> {
    check(schema, root, false)
}

fn check(schema: &Json, root: &Node, judges_values: bool) -> Vec<Problem> {
    let mut checker = Checker {
        judges_values,
        problems: Vec::new(),
    };
    checker.visit(Subschema::root(schema), root, "");
    checker.problems
}

struct Checker {
    /// Whether values of the right type are looked at, and missing ones missed.
    judges_values: bool,
    problems: Vec<Problem>,
}

impl Checker {
    fn visit(&mut self, schema: Subschema<'_>, node: &Node, path: &str) {
        match (schema.kind(), &node.value) {
            (_, Value::Unusable((what, remedy))) => {
                self.report(&node.origin, path, (*what).to_owned(), (*remedy).to_owned());
            }
            (Kind::Any, Value::Table(members)) => {
                for (name, entry) in members {
                    self.visit(schema, &entry.node, &join(path, name));
                }
            }
            (Kind::Any, Value::List(items)) => self.list(schema, items, &node.origin, path),
            (Kind::Any, _) => {}
            (Kind::Object, Value::Table(members)) => {
                self.table(schema, members, &node.origin, path);
            }
            (Kind::List, Value::List(items)) => self.list(schema, items, &node.origin, path),
            (Kind::Text, Value::Text(text)) => self.text(schema, text, &node.origin, path),
            (Kind::TextOrList, Value::Text(_)) => {}
            (Kind::TextOrList, Value::List(items)) => {
                self.list(schema.list_branch(), items, &node.origin, path);
            }
            (Kind::Boolean, Value::Bool(_)) => {}
            (Kind::Integer, Value::Integer(number)) => {
                self.range(schema, *number as f64, &node.origin, path);
            }
            (Kind::Number, Value::Integer(number)) => {
                self.range(schema, *number as f64, &node.origin, path);
            }
            (Kind::Number, Value::Float(number)) => self.range(schema, *number, &node.origin, path),
            (expected, found) => {
                let what = format!("expected {}, found {}", expected.name(), name(found));
                self.report(&node.origin, path, what, expected_form(schema, found, path));
            }
        }
    }

    fn table(
        &mut self,
        schema: Subschema<'_>,
        members: &BTreeMap<String, Entry>,
        origin: &Origin,
        path: &str,
    ) {
        for (name, entry) in members {
            match schema.member(name) {
                Some(member) => self.visit(member, &entry.node, &join(path, name)),
                None => self.unknown(schema, name, entry, path),
            }
        }
        let missing = schema
            .required()
            .filter(|name| self.judges_values && !members.contains_key(*name));
        for required in missing.collect::<Vec<_>>() {
            let what = format!("`{required}` is missing");
            self.report(origin, path, what, format!("Add `{required} = …`"));
        }
    }

    fn unknown(&mut self, schema: Subschema<'_>, name: &str, entry: &Entry, path: &str) {
        let remedy = match suggest::moved(path, name) {
            Some(remedy) => remedy.to_owned(),
            None => suggest::remedy(name, &schema.member_names()),
        };
        let what = format!("unknown member `{}`", name.escape_debug());
        self.report(&entry.name_origin, path, what, remedy);
    }

    fn list(&mut self, schema: Subschema<'_>, items: &[Node], origin: &Origin, path: &str) {
        if self.judges_values && items.is_empty() && schema.minimum_items() > 0 {
            self.report(
                origin,
                path,
                "the list is empty".to_owned(),
                "Name at least one".to_owned(),
            );
        }
        let item_schema = schema.items();
        for (index, item) in items.iter().enumerate() {
            self.visit(item_schema, item, &format!("{path}[{index}]"));
        }
    }

    fn text(&mut self, schema: Subschema<'_>, text: &str, origin: &Origin, path: &str) {
        if !self.judges_values {
            return;
        }
        if text.is_empty() && schema.minimum_length() > 0 {
            return self.report(
                origin,
                path,
                "the text is empty".to_owned(),
                "Give it a value".to_owned(),
            );
        }
        if let Some(allowed) = schema.allowed_values()
            && !allowed.contains(&text)
        {
            let what = format!("`{}` is not known", shortened(text));
            return self.report(origin, path, what, suggest::remedy(text, &allowed));
        }
        if let Some(fault) = schema
            .format()
            .and_then(|format| format::fault(format, text))
        {
            self.report(origin, path, fault.what, fault.remedy);
        }
    }

    fn range(&mut self, schema: Subschema<'_>, number: f64, origin: &Origin, path: &str) {
        if !self.judges_values {
            return;
        }
        let (least, most) = schema.range();
        let remedy = match (least, most) {
            (Some(least), _) if number < least => match most {
                Some(most) => format!("Choose {least} to {most}"),
                None => format!("Choose {least} or more"),
            },
            (_, Some(most)) if number > most => match least {
                Some(least) => format!("Choose {least} to {most}"),
                None => format!("Choose {most} or less"),
            },
            _ => return,
        };
        self.report(origin, path, format!("{number} is out of range"), remedy);
    }

    fn report(&mut self, origin: &Origin, path: &str, what: String, remedy: String) {
        self.problems.push(Problem {
            origin: origin.clone(),
            path: path.to_owned(),
            what,
            remedy,
        });
    }
}

/// How to write what the schema wants instead of what was found.
fn expected_form(schema: Subschema<'_>, found: &Value, path: &str) -> String {
    let is_one_table = matches!(found, Value::Table(_)) && schema.items().kind() == Kind::Object;
    if schema.kind() == Kind::List && is_one_table {
        return format!("Write `[[{path}]]`, with double brackets");
    }
    format!("Write {}", schema.kind().example())
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Unusable(_) => "nothing",
        Value::Bool(_) => "true or false",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a fraction",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 24;
    let start: String = text.chars().take(MOST).collect();
    let more = if text.chars().count() > MOST {
        "…"
    } else {
        ""
    };
    format!("{}{more}", start.escape_debug())
}
