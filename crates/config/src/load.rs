//! File, environment and flags into one checked configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::builtin;
use crate::check::{self, Findings};
use crate::document::{Node, Origins, read_toml};
use crate::files;
use crate::overlay::Overlay;
use crate::problem::{Origin, Problem, Problems};
use crate::schema::schema;
use crate::section::Config;
use crate::shape::{check_shape, check_types};

/// Where settings come from, the weakest first.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The configuration file; none: defaults alone.
    pub file: Option<&'a Path>,
    /// The environment of the process.
    pub environment: &'a BTreeMap<String, String>,
    /// Members set by flags: a path such as `server.listen`, and the text.
    pub flags: &'a [(String, String)],
}

/// A checked configuration and what is known about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings in force, with the contents of secret files filled in.
    pub config: Config,
    /// Where each was set.
    pub origins: Origins,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
}

/// Loads, layers and checks all settings.
///
/// # Errors
///
/// Every problem found: of the text, else of names and types, else of meaning.
pub fn load(sources: Sources<'_>) -> Result<Loaded, Problems> {
    load_scope(sources, Scope::All)
}

/// Loads the `auth` section alone, for judging credentials.
///
/// Nothing else of the file is read. A weak secret is a warning here, since it
/// is the credential that is in question and not the deployment.
///
/// # Errors
///
/// As [`load()`], for the `auth` section.
pub fn load_auth_only(sources: Sources<'_>) -> Result<Loaded, Problems> {
    load_scope(sources, Scope::AuthOnly)
}

/// Loads a file's text as if it stood in the folder `base`, without other layers.
///
/// # Errors
///
/// As [`load()`].
pub fn from_toml_str(text: &str, base: &Path) -> Result<Loaded, Problems> {
    let (root, problems) = read_toml(text, "hallpass.toml");
    stop_at(problems)?;
    let none = BTreeMap::new();
    let sources = Sources {
        file: None,
        environment: &none,
        flags: &[],
    };
    finish(root, base, sources, Scope::All)
}

/// How much of the settings is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    All,
    AuthOnly,
}

fn load_scope(sources: Sources<'_>, scope: Scope) -> Result<Loaded, Problems> {
    let Some(file) = sources.file else {
        return finish(Node::table(Origin::Default), Path::new(""), sources, scope);
    };
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let (root, problems) = read_toml(&text, &file.display().to_string());
    stop_at(problems)?;
    let base = file.parent().map(PathBuf::from).unwrap_or_default();
    finish(root, &base, sources, scope)
}

fn finish(
    mut root: Node,
    base: &Path,
    sources: Sources<'_>,
    scope: Scope,
) -> Result<Loaded, Problems> {
    let schema = schema();
    if scope == Scope::AuthOnly {
        keep_auth(&mut root);
    }
    let mut problems = check_types(&schema, &root);
    builtin::add_missing(&mut root);
    let mut overlay = Overlay::new(&schema, &mut root);
    overlay.environment(&auth_variables(sources.environment, scope));
    overlay.flags(sources.flags);
    problems.extend(overlay.finish());
    problems.extend(check_shape(&schema, &root));
    stop_at(problems)?;
    let origins = Origins::of_tree(&root);
    let mut config = deserialise(&root)?;
    let mut findings = Findings::new(&origins);
    files::resolve(&mut config, base, scope, &mut findings);
    check::check(&config, scope, &mut findings);
    let (problems, warnings) = findings.into_parts();
    stop_at(problems)?;
    Ok(Loaded {
        config,
        origins,
        warnings,
    })
}

fn keep_auth(root: &mut Node) {
    if let Some(members) = root.members_mut() {
        members.retain(|name, _| name == "auth");
    }
}

fn auth_variables(
    environment: &BTreeMap<String, String>,
    scope: Scope,
) -> BTreeMap<String, String> {
    let wanted = |name: &str| scope == Scope::All || name.starts_with("HALLPASS_AUTH_");
    let variables = environment.iter().filter(|(name, _)| wanted(name));
    variables
        .map(|(name, text)| (name.clone(), text.clone()))
        .collect()
}

fn deserialise(root: &Node) -> Result<Config, Problems> {
    let mut config: Config = serde_json::from_value(root.to_json()).map_err(|error| {
        // The shape was right, so only the kind of the error is new, and its text might quote a value.
        Problems::single(Problem {
            origin: root.origin.clone(),
            path: String::new(),
            what: format!("a value is not usable ({:?})", error.classify()),
            remedy: "Compare the file with `hallpass config schema`".to_owned(),
        })
    })?;
    for profile in config
        .profiles
        .values_mut()
        .filter(|profile| profile.modes.is_empty())
    {
        profile.modes.push(profile.mode);
    }
    Ok(config)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Problems {
    Problems::single(Problem {
        origin: Origin::file(file),
        path: String::new(),
        what: format!("cannot read the file: {error}"),
        remedy: "Check the path and that this user may read it".to_owned(),
    })
}

fn stop_at(problems: Vec<Problem>) -> Result<(), Problems> {
    Problems::from_list(problems).map_or(Ok(()), Err)
}
