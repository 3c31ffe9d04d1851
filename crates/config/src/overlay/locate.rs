//! Which member a name in capitals means: `AUTH_JWT_LEEWAY_SECONDS`.

use crate::document::{Node, Value};
use crate::shape::{Kind, Subschema};

/// One step from a table or list inwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To the member of this name.
    Member(String),
    /// To the first item of a list of tables.
    First,
}

/// The way to the member a name means, and its schema.
///
/// A list of tables is entered at its first item. The tree helps with names
/// the operator chose; `-` in such a name is `_` in a variable.
pub(super) fn locate<'s>(
    schema: Subschema<'s>,
    name: &str,
    tree: Option<&Node>,
) -> Option<(Vec<Step>, Subschema<'s>)> {
    if name.is_empty() {
        return Some((Vec::new(), schema));
    }
    match schema.kind() {
        Kind::List => {
            let first = tree.and_then(first_item);
            with_step(Step::First, locate(schema.items(), name, first)?)
        }
        Kind::Object => match schema.map_values() {
            Some(values) => locate_in_map(values, name, tree),
            None => locate_member(schema, name, tree),
        },
        _ => None,
    }
}

/// Every fixed name, for suggestions.
pub(super) fn names(schema: Subschema<'_>) -> Vec<String> {
    match schema.kind() {
        Kind::List if schema.items().kind() == Kind::Object => names(schema.items()),
        Kind::Object if schema.map_values().is_none() => schema
            .member_names()
            .into_iter()
            .flat_map(|name| below(schema, name))
            .collect(),
        _ => Vec::new(),
    }
}

fn below(schema: Subschema<'_>, name: &str) -> Vec<String> {
    let own = name.to_uppercase();
    let inner = schema.member(name).map(names).unwrap_or_default();
    if inner.is_empty() {
        return vec![own];
    }
    inner
        .into_iter()
        .map(|inner| format!("{own}_{inner}"))
        .collect()
}

fn locate_member<'s>(
    schema: Subschema<'s>,
    name: &str,
    tree: Option<&Node>,
) -> Option<(Vec<Step>, Subschema<'s>)> {
    schema.member_names().into_iter().find_map(|member| {
        let rest = after(name, &member.to_uppercase())?;
        let inner = tree.and_then(|tree| tree.member(member));
        let found = locate(schema.member(member)?, rest, inner)?;
        with_step(Step::Member(member.to_owned()), found)
    })
}

fn locate_in_map<'s>(
    values: Subschema<'s>,
    name: &str,
    tree: Option<&Node>,
) -> Option<(Vec<Step>, Subschema<'s>)> {
    let splits = name.match_indices('_').map(|(at, _)| at);
    splits.filter(|at| *at > 0).find_map(|at| {
        let (key, rest) = (&name[..at], &name[at + 1..]);
        let key = existing(tree, key).unwrap_or_else(|| key.to_lowercase());
        let inner = tree.and_then(|tree| tree.member(&key));
        let found = locate(values, rest, inner).filter(|_| !rest.is_empty())?;
        with_step(Step::Member(key), found)
    })
}

/// The name an operator gave that reads like this one in capitals.
fn existing(tree: Option<&Node>, capitals: &str) -> Option<String> {
    let Value::Table(members) = &tree?.value else {
        return None;
    };
    let mut names = members.keys();
    names
        .find(|name| name.to_uppercase().replace('-', "_") == capitals)
        .cloned()
}

fn first_item(node: &Node) -> Option<&Node> {
    match &node.value {
        Value::List(items) => items.first(),
        _ => None,
    }
}

fn after<'n>(name: &'n str, member: &str) -> Option<&'n str> {
    let rest = name.strip_prefix(member)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('_').filter(|rest| !rest.is_empty())
}

#[allow(clippy::unnecessary_wraps, reason = "ends the chains of `?` above")]
fn with_step<'s>(
    step: Step,
    found: (Vec<Step>, Subschema<'s>),
) -> Option<(Vec<Step>, Subschema<'s>)> {
    let (mut steps, schema) = found;
    steps.insert(0, step);
    Some((steps, schema))
}
