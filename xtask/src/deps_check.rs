//! `cargo xtask deps-check`: the borders between our own crates.
mod manifest;
mod table;

use anyhow::{Result, bail};

use self::{
    manifest::{Edge, Kind, Manifest},
    table::{ROWS, Row},
};
use crate::run::{cargo, output};

/// Holds the table against `cargo metadata` and lists every breach.
pub(crate) fn deps_check() -> Result<()> {
    let metadata = output(&mut cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    let manifests = manifest::read(&metadata)?;
    let breaches = breaches(ROWS, &manifests);
    if breaches.is_empty() {
        println!("{} crates keep to their borders", manifests.len());
        return Ok(());
    }
    bail!("crate borders are broken:\n  {}", breaches.join("\n  "))
}

/// Every way in which the crates differ from the table, as sentences.
fn breaches(rows: &[Row], manifests: &[Manifest]) -> Vec<String> {
    let mut found = Vec::new();
    for manifest in manifests {
        match rows.iter().find(|row| row.package == manifest.name) {
            Some(row) => found.extend(broken_edges(row, manifest)),
            None => found.push(no_row(&manifest.name)),
        }
    }
    let gone = |row: &&Row| manifests.iter().all(|known| known.name != row.package);
    found.extend(rows.iter().filter(gone).map(no_crate));
    found
}

fn broken_edges(row: &Row, manifest: &Manifest) -> Vec<String> {
    manifest
        .edges
        .iter()
        .filter(|edge| !allows(row, edge))
        .map(|edge| broken_edge(row, edge))
        .collect()
}

fn allows(row: &Row, edge: &Edge) -> bool {
    let to = edge.to.as_str();
    match edge.kind {
        Kind::Normal | Kind::Build => row.may_use.contains(&to),
        Kind::Dev => [row.may_use, row.tests_may_use]
            .iter()
            .any(|allowed| allowed.contains(&to)),
    }
}

fn broken_edge(row: &Row, edge: &Edge) -> String {
    let Row { package, why, .. } = row;
    let Edge { to, kind } = edge;
    format!("{package} has a {kind} on {to}, which the table does not allow: {why}")
}

fn no_row(package: &str) -> String {
    format!("{package} has no row: add one to {}", table::FILE)
}

fn no_crate(row: &Row) -> String {
    format!(
        "{} has a row but is no crate: remove it from {}",
        row.package,
        table::FILE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORE: Row = Row {
        package: "core",
        may_use: &[],
        tests_may_use: &["testkit"],
        why: "rules without I/O",
    };
    const HTTP: Row = Row {
        package: "http",
        may_use: &["core"],
        tests_may_use: &["testkit"],
        why: "handlers",
    };

    fn manifest(name: &str, edges: &[(&str, Kind)]) -> Manifest {
        Manifest {
            name: name.to_owned(),
            edges: edges
                .iter()
                .map(|(to, kind)| Edge {
                    to: (*to).to_owned(),
                    kind: *kind,
                })
                .collect(),
        }
    }

    #[test]
    fn allowed_edges_pass() {
        let manifests = [
            manifest("core", &[("testkit", Kind::Dev)]),
            manifest("http", &[("core", Kind::Normal), ("core", Kind::Dev)]),
        ];

        assert_eq!(breaches(&[CORE, HTTP], &manifests), Vec::<String>::new());
    }

    #[test]
    fn an_edge_against_the_arrow_is_named_with_its_reason() {
        let manifests = [manifest("core", &[("http", Kind::Normal)])];

        let found = breaches(&[CORE], &manifests);

        assert_eq!(
            found,
            ["core has a dependency on http, which the table does not allow: rules without I/O"]
        );
    }

    #[test]
    fn test_support_is_for_tests_only() {
        for kind in [Kind::Normal, Kind::Build] {
            let manifests = [manifest("core", &[("testkit", kind)])];
            assert_eq!(breaches(&[CORE], &manifests).len(), 1, "{kind}");
        }
    }

    #[test]
    fn a_crate_without_a_row_and_a_row_without_a_crate_are_breaches() {
        let found = breaches(&[CORE], &[manifest("relay", &[])]);

        assert_eq!(found.len(), 2);
        assert!(found[0].starts_with("relay has no row"));
        assert!(found[1].starts_with("core has a row but is no crate"));
    }

    #[test]
    fn the_table_names_each_crate_once_and_no_crate_uses_itself() {
        for (at, row) in ROWS.iter().enumerate() {
            let later = ROWS.iter().skip(at + 1);
            assert!(later.map(|row| row.package).all(|name| name != row.package));
            assert!(!row.may_use.contains(&row.package), "{}", row.package);
            assert!(!row.why.is_empty(), "{}", row.package);
        }
    }

    #[test]
    fn only_the_binary_sees_the_stores() {
        for row in ROWS.iter().filter(|row| row.package != "hallpass") {
            let store = |name: &&&str| name.starts_with("hallpass-store-");
            assert_eq!(row.may_use.iter().find(store), None, "{}", row.package);
        }
    }
}
