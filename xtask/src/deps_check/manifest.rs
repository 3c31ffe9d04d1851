//! What `cargo metadata` says about our own crates.
use std::fmt;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One of our crates and the others of ours it names.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) edges: Vec<Edge>,
}

/// A dependency on another of our crates.
#[derive(Debug, PartialEq)]
pub(super) struct Edge {
    pub(super) to: String,
    pub(super) kind: Kind,
}

/// For what a dependency is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Normal,
    Build,
    Dev,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "dependency",
            Self::Build => "build-dependency",
            Self::Dev => "dev-dependency",
        })
    }
}

/// Reads the output of `cargo metadata --no-deps`.
pub(super) fn read(metadata: &[u8]) -> Result<Vec<Manifest>> {
    let metadata: Value = serde_json::from_slice(metadata)?;
    let packages = list(&metadata, "packages")?;
    let names: Vec<&str> = packages.iter().map(name).collect::<Result<_>>()?;
    packages
        .iter()
        .map(|package| manifest(package, &names))
        .collect()
}

fn manifest(package: &Value, ours: &[&str]) -> Result<Manifest> {
    let edges = list(package, "dependencies")?
        .iter()
        .filter(|dependency| name(dependency).is_ok_and(|name| ours.contains(&name)))
        .map(edge)
        .collect::<Result<_>>()?;
    Ok(Manifest {
        name: name(package)?.to_owned(),
        edges,
    })
}

fn edge(dependency: &Value) -> Result<Edge> {
    let kind = match dependency["kind"].as_str() {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some("dev") => Kind::Dev,
        Some(other) => bail!("cargo metadata has a dependency of the unknown kind {other}"),
    };
    Ok(Edge {
        to: name(dependency)?.to_owned(),
        kind,
    })
}

fn list<'v>(value: &'v Value, member: &str) -> Result<&'v Vec<Value>> {
    value[member]
        .as_array()
        .with_context(|| format!("cargo metadata has no list `{member}`"))
}

fn name(value: &Value) -> Result<&str> {
    value["name"]
        .as_str()
        .context("cargo metadata has an entry without a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_edges_are_read_with_their_kind() {
        let metadata = br#"{"packages": [
            {"name": "http", "dependencies": [
                {"name": "core", "kind": null},
                {"name": "serde", "kind": null},
                {"name": "testkit", "kind": "dev"}]},
            {"name": "core", "dependencies": []},
            {"name": "testkit", "dependencies": []}]}"#;

        let manifests = read(metadata).expect("metadata");

        let edge = |to: &str, kind| Edge {
            to: to.to_owned(),
            kind,
        };
        assert_eq!(manifests.len(), 3);
        assert_eq!(
            manifests[0].edges,
            [edge("core", Kind::Normal), edge("testkit", Kind::Dev)]
        );
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        let metadata = br#"{"packages": [
            {"name": "a", "dependencies": [{"name": "a", "kind": "odd"}]}]}"#;

        assert!(read(metadata).is_err());
    }
}
