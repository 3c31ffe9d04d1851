//! The settings as a tree in which every value knows where it comes from.

mod from_toml;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::problem::Origin;

pub(crate) use from_toml::read_toml;

/// A value and where it was written.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

/// A value of any of the layers. It may be a secret, hence no `Debug`.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Entry>),
    /// What TOML can say and no setting takes; reported with the shape.
    Unusable(Fault),
}

/// What is wrong with a value, and what to do.
pub(crate) type Fault = (&'static str, &'static str);

/// A member of a table; its name has a place of its own.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name_origin: Origin,
    pub(crate) node: Node,
}

impl Node {
    pub(crate) fn table(origin: Origin) -> Self {
        Self {
            origin,
            value: Value::Table(BTreeMap::new()),
        }
    }

    /// The tree of a JSON value, all of it from one place.
    pub(crate) fn from_json(json: Json, origin: &Origin) -> Self {
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(flag),
            Json::Number(number) => number.as_i64().map_or_else(
                || Value::Float(number.as_f64().unwrap_or(f64::MAX)),
                Value::Integer,
            ),
            Json::String(text) => Value::Text(text),
            Json::Array(items) => Value::List(
                items
                    .into_iter()
                    .map(|item| Self::from_json(item, origin))
                    .collect(),
            ),
            Json::Object(members) => Value::Table(
                members
                    .into_iter()
                    .map(|(name, member)| (name, Entry::new(Self::from_json(member, origin))))
                    .collect(),
            ),
        };
        Self {
            origin: origin.clone(),
            value,
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Null | Value::Unusable(_) => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Integer(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(members) => {
                let members = members.iter();
                Json::Object(
                    members
                        .map(|(name, entry)| (name.clone(), entry.node.to_json()))
                        .collect(),
                )
            }
        }
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(members) => members.get(name).map(|entry| &entry.node),
            _ => None,
        }
    }

    pub(crate) fn members_mut(&mut self) -> Option<&mut BTreeMap<String, Entry>> {
        match &mut self.value {
            Value::Table(members) => Some(members),
            _ => None,
        }
    }
}

impl Entry {
    /// A member whose name stands where its value stands.
    pub(crate) fn new(node: Node) -> Self {
        Self {
            name_origin: node.origin.clone(),
            node,
        }
    }
}

/// The place of every value, by its path such as `auth.jwt[0].issuer`.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub(crate) fn of_tree(root: &Node) -> Self {
        let mut origins = Self::default();
        origins.collect(String::new(), &root.origin, root);
        origins
    }

    /// Where the value at this path was set; `Default` where nobody set it.
    pub fn exact(&self, path: &str) -> &Origin {
        self.0.get(path).unwrap_or(&Origin::Default)
    }

    /// The place of the value, or of the nearest table around it that has one.
    pub fn nearest(&self, path: &str) -> &Origin {
        let mut rest = path;
        loop {
            if let Some(origin) = self.0.get(rest) {
                return origin;
            }
            let Some(end) = rest.rfind(['.', '[']) else {
                return self.exact("");
            };
            rest = &rest[..end];
        }
    }

    fn collect(&mut self, path: String, origin: &Origin, node: &Node) {
        match &node.value {
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.collect(format!("{path}[{index}]"), &item.origin, item);
                }
            }
            Value::Table(members) => {
                for (name, entry) in members {
                    self.collect(join(&path, name), &entry.name_origin, &entry.node);
                }
            }
            _ => {}
        }
        self.0.insert(path, origin.clone());
    }
}

/// The path of a member of the table at `path`.
pub(crate) fn join(path: &str, name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        format!("{name:?}")
    };
    if path.is_empty() {
        name
    } else {
        format!("{path}.{name}")
    }
}
