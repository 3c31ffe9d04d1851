//! Environment variables and flags, laid over the tree of the file.

mod locate;
mod opentelemetry;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::document::{Entry, Node, Value};
use crate::problem::{Origin, Problem};
use crate::shape::Subschema;
use crate::suggest;

use locate::{Step, locate, names};
use parse::parse;

const PREFIX: &str = "HALLPASS_";

/// Variables of the command line, not of the configuration.
const COMMAND_LINE: [&str; 4] = [
    "HALLPASS_ADMIN_KEY",
    "HALLPASS_CONFIG",
    "HALLPASS_LOG",
    "HALLPASS_URL",
];

/// OpenAI's own names for the first upstream's key, and what they set.
const OPENAI: [(&str, &str); 2] = [
    ("OPENAI_API_KEY", "UPSTREAM_API_KEY"),
    ("OPENAI_API_KEY_FILE", "UPSTREAM_API_KEY_FILE"),
];

/// Lays settings over a tree, which it may change, and collects what is wrong.
pub(crate) struct Overlay<'a> {
    schema: Subschema<'a>,
    root: &'a mut Node,
    problems: Vec<Problem>,
}

impl<'a> Overlay<'a> {
    pub(crate) fn new(schema: &'a Json, root: &'a mut Node) -> Self {
        Self {
            schema: Subschema::root(schema),
            root,
            problems: Vec::new(),
        }
    }

    pub(crate) fn finish(self) -> Vec<Problem> {
        self.problems
    }

    /// Lays every `HALLPASS_…` variable over the tree, and those others made known.
    pub(crate) fn environment(&mut self, variables: &BTreeMap<String, String>) {
        for (variable, name) in OPENAI {
            // Container tools pass a variable nobody set as an empty one.
            if let Some(text) = variables.get(variable).filter(|text| !text.is_empty()) {
                self.set(name, text, &Origin::Environment(variable.to_owned()));
            }
        }
        let (settings, wrong) = opentelemetry::settings(variables, self.has_collector(variables));
        for (variable, name, text) in settings {
            self.set(name, &text, &Origin::Environment(variable));
        }
        for (variable, what, remedy) in wrong {
            self.report(Origin::Environment(variable), what, remedy.to_owned());
        }
        for (variable, text) in variables {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            if COMMAND_LINE.contains(&variable.as_str()) || is_service_link(name, text) {
                continue;
            }
            let origin = Origin::Environment(variable.clone());
            if !self.set(name, text, &origin) {
                self.unknown_variable(name, origin);
            }
        }
    }

    /// Whether the file or a variable of ours says where traces are sent.
    fn has_collector(&self, variables: &BTreeMap<String, String>) -> bool {
        let traces = self.root.member("traces");
        variables.contains_key("HALLPASS_TRACES_ENDPOINT")
            || traces.is_some_and(|traces| traces.member("endpoint").is_some())
    }

    /// Lays flags over the tree, each a member's path and its text.
    pub(crate) fn flags(&mut self, flags: &[(String, String)]) {
        for (path, text) in flags {
            let origin = Origin::Flag(path.clone());
            if !self.set(&path.to_uppercase().replace(['.', '-'], "_"), text, &origin) {
                self.report(
                    origin,
                    "no such setting",
                    "`hallpass config schema` lists them".to_owned(),
                );
            }
        }
    }

    /// Sets a member by its name in capitals; false where there is none.
    fn set(&mut self, name: &str, text: &str, origin: &Origin) -> bool {
        let Some((steps, schema)) = locate(self.schema, name, Some(&*self.root)) else {
            return false;
        };
        match parse(schema, text, origin) {
            Ok(node) => self.insert(&steps, node),
            Err((what, remedy)) => self.report(origin.clone(), what, remedy.to_owned()),
        }
        true
    }

    fn insert(&mut self, steps: &[Step], node: Node) {
        let Some((Step::Member(name), tables)) = steps.split_last() else {
            return;
        };
        let origin = node.origin.clone();
        // A file with another type there is reported when the shape is checked.
        let Some(members) = table_at(self.root, tables, &origin) else {
            return;
        };
        let twin = twin(name);
        if members
            .get(&twin)
            .is_some_and(|entry| same_layer(&entry.node.origin, &origin))
        {
            let what = "sets a value that another variable or flag sets by file";
            return self.report(origin, what, "Keep one of the two".to_owned());
        }
        if let Some(entry) = members
            .get(name)
            .filter(|entry| same_layer(&entry.node.origin, &origin))
        {
            let what = format!("sets the same value as {}", entry.node.origin);
            return self.report(origin, &what, "Keep one of the two".to_owned());
        }
        members.remove(&twin);
        members.insert(name.clone(), Entry::new(node));
    }

    fn unknown_variable(&mut self, name: &str, origin: Origin) {
        let known = names(self.schema);
        let known = known.iter().map(String::as_str);
        let remedy = match suggest::nearest(name, known) {
            Some(near) => format!("Did you mean `{PREFIX}{near}`?"),
            None => "Remove it; `hallpass config schema` lists the settings".to_owned(),
        };
        self.report(origin, "unknown variable", remedy);
    }

    fn report(&mut self, origin: Origin, what: &str, remedy: String) {
        self.problems.push(Problem {
            origin,
            path: String::new(),
            what: what.to_owned(),
            remedy,
        });
    }
}

/// Whether Kubernetes made the variable for a service named `hallpass…`.
///
/// It gives them to every container of the namespace, so they are no mistake.
fn is_service_link(name: &str, text: &str) -> bool {
    let is_port = name.starts_with("PORT") || name.contains("_PORT");
    let is_address = text.starts_with("tcp://") || text.starts_with("udp://");
    let is_part = [
        "_TCP_ADDR",
        "_TCP_PORT",
        "_TCP_PROTO",
        "_UDP_ADDR",
        "_UDP_PORT",
        "_UDP_PROTO",
    ];
    name.ends_with("SERVICE_HOST")
        || name.contains("SERVICE_PORT")
        || is_port && (is_address || is_part.iter().any(|part| name.ends_with(part)))
}

/// The member that says the same in the other way: `secret` and `secret_file`.
fn twin(name: &str) -> String {
    match name.strip_suffix("_file") {
        Some(value) => value.to_owned(),
        None => format!("{name}_file"),
    }
}

fn same_layer(one: &Origin, other: &Origin) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// The table the steps lead to; missing ones are made.
fn table_at<'n>(
    root: &'n mut Node,
    steps: &[Step],
    origin: &Origin,
) -> Option<&'n mut BTreeMap<String, Entry>> {
    let mut node = root;
    for (index, step) in steps.iter().enumerate() {
        let next_is_list = steps.get(index + 1) == Some(&Step::First);
        node = match step {
            Step::Member(name) => {
                let absent = || Entry::new(empty(next_is_list, origin));
                &mut node
                    .members_mut()?
                    .entry(name.clone())
                    .or_insert_with(absent)
                    .node
            }
            Step::First => first(node, origin)?,
        };
    }
    node.members_mut()
}

fn empty(is_list: bool, origin: &Origin) -> Node {
    let mut node = Node::table(origin.clone());
    if is_list {
        node.value = Value::List(Vec::new());
    }
    node
}

fn first<'n>(node: &'n mut Node, origin: &Origin) -> Option<&'n mut Node> {
    let Value::List(items) = &mut node.value else {
        return None;
    };
    if items.is_empty() {
        items.push(Node::table(origin.clone()));
    }
    items.first_mut()
}
