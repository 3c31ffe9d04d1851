//! The part of JSON Schema that schemars makes of plain structs.

use serde_json::{Map, Value as Json};

/// A schema inside the whole one, its references and `null` branches resolved.
#[derive(Clone, Copy)]
pub(crate) struct Subschema<'s> {
    root: &'s Json,
    here: &'s Json,
}

/// What a value has to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Object,
    List,
    Text,
    TextOrList,
    Boolean,
    Integer,
    Number,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Object => "a table",
            Self::List => "a list",
            Self::Text => "text",
            Self::TextOrList => "text or a list of texts",
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Number => "a number",
        }
    }

    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Object => "it as a table: `{ name = … }`",
            Self::List => "it as a list: `[ … ]`",
            Self::Text => "it in quotes: `\"…\"`",
            Self::TextOrList => "`\"…\"` or `[\"…\", \"…\"]`",
            Self::Boolean => "`true` or `false`, without quotes",
            Self::Integer => "digits without quotes, such as `30`",
            Self::Number => "a number without quotes, such as `2.5`",
        }
    }
}

impl<'s> Subschema<'s> {
    pub(crate) fn root(root: &'s Json) -> Self {
        Self { root, here: root }
    }

    pub(crate) fn kind(self) -> Kind {
        if self.allowed_values().is_some() {
            return Kind::Text;
        }
        if self.here.get("anyOf").is_some() {
            return Kind::TextOrList;
        }
        match self.type_name() {
            Some("object") => Kind::Object,
            Some("array") => Kind::List,
            Some("string") => Kind::Text,
            Some("boolean") => Kind::Boolean,
            Some("integer") => Kind::Integer,
            Some("number") => Kind::Number,
            _ => Kind::Any,
        }
    }

    /// The schema of a member, or of all members of a map.
    pub(crate) fn member(self, name: &str) -> Option<Self> {
        let own = self
            .properties()
            .and_then(|properties| properties.get(name));
        let others = self
            .here
            .get("additionalProperties")
            .filter(|rest| **rest != Json::Bool(false));
        // A struct without `additionalProperties` would take anything; none of ours is.
        own.or(others).map(|here| self.resolved(here))
    }

    /// Whether members have names of the operator's choosing, and what they hold.
    pub(crate) fn map_values(self) -> Option<Self> {
        let values = self
            .here
            .get("additionalProperties")
            .filter(|values| values.is_object())?;
        Some(self.resolved(values))
    }

    pub(crate) fn member_names(self) -> Vec<&'s str> {
        let properties = self.properties().into_iter();
        properties
            .flat_map(|members| members.keys().map(String::as_str))
            .collect()
    }

    pub(crate) fn required(self) -> impl Iterator<Item = &'s str> {
        let names = self.here.get("required").and_then(Json::as_array);
        names.into_iter().flatten().filter_map(Json::as_str)
    }

    pub(crate) fn items(self) -> Self {
        self.resolved(self.here.get("items").unwrap_or(&Json::Bool(true)))
    }

    /// Of "text or a list", the list.
    pub(crate) fn list_branch(self) -> Self {
        let branches = self.here.get("anyOf").and_then(Json::as_array);
        let list = branches
            .into_iter()
            .flatten()
            .map(|branch| self.resolved(branch));
        list.into_iter()
            .find(|branch| branch.kind() == Kind::List)
            .unwrap_or(self)
    }

    pub(crate) fn allowed_values(self) -> Option<Vec<&'s str>> {
        if let Some(values) = self.here.get("enum").and_then(Json::as_array) {
            return Some(values.iter().filter_map(Json::as_str).collect());
        }
        let variants = self.here.get("oneOf").and_then(Json::as_array)?;
        Some(
            variants
                .iter()
                .filter_map(|variant| variant.get("const")?.as_str())
                .collect(),
        )
    }

    pub(crate) fn format(self) -> Option<&'s str> {
        self.here.get("format")?.as_str()
    }

    pub(crate) fn minimum_items(self) -> u64 {
        self.here
            .get("minItems")
            .and_then(Json::as_u64)
            .unwrap_or(0)
    }

    pub(crate) fn minimum_length(self) -> u64 {
        self.here
            .get("minLength")
            .and_then(Json::as_u64)
            .unwrap_or(0)
    }

    /// The least and the greatest value.
    pub(crate) fn range(self) -> (Option<f64>, Option<f64>) {
        let bound = |name| self.here.get(name).and_then(Json::as_f64);
        let widest = (self.format() == Some("uint32")).then_some(f64::from(u32::MAX));
        (bound("minimum"), bound("maximum").or(widest))
    }

    fn properties(self) -> Option<&'s Map<String, Json>> {
        self.here.get("properties")?.as_object()
    }

    fn type_name(self) -> Option<&'s str> {
        match self.here.get("type")? {
            Json::String(one) => Some(one),
            Json::Array(several) => several
                .iter()
                .filter_map(Json::as_str)
                .find(|name| *name != "null"),
            _ => None,
        }
    }

    fn resolved(self, mut here: &'s Json) -> Self {
        loop {
            if let Some(target) = reference(self.root, here) {
                here = target;
            } else if let Some(branch) = only_branch_beside_null(here) {
                here = branch;
            } else {
                return Self {
                    root: self.root,
                    here,
                };
            }
        }
    }
}

fn reference<'s>(root: &'s Json, here: &'s Json) -> Option<&'s Json> {
    let name = here.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    root.get("$defs")?.get(name)
}

/// What schemars makes of `Option<T>`: a choice between `T` and null.
fn only_branch_beside_null(here: &Json) -> Option<&Json> {
    let branches = here.get("anyOf")?.as_array()?;
    let mut others = branches
        .iter()
        .filter(|branch| branch.get("type").and_then(Json::as_str) != Some("null"));
    let first = others.next()?;
    others.next().is_none().then_some(first)
}
