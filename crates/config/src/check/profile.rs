//! `[profiles.<name>]`.

use std::collections::BTreeMap;

use super::Findings;
use crate::document::join;
use crate::section::{Kind, Profile};
use crate::session_members::{is_known, top_level};
use crate::suggest;

pub(super) fn check(profiles: &BTreeMap<String, Profile>, findings: &mut Findings<'_>) {
    for (name, profile) in profiles {
        let path = join("profiles", name);
        modes(profile, &path, findings);
        expiry(profile, &path, findings);
        lease(profile, &path, findings);
        session(profile, &path, findings);
    }
}

fn modes(profile: &Profile, path: &str, findings: &mut Findings<'_>) {
    if !profile.modes.contains(&profile.mode) {
        let what = format!(
            "the default mode `{}` is not among `modes`",
            profile.mode.name()
        );
        findings.refuse(
            &format!("{path}.mode"),
            &what,
            "Add it to `modes`, or choose one of them",
        );
    }
}

fn expiry(profile: &Profile, path: &str, findings: &mut Findings<'_>) {
    if profile.expires_after_seconds > profile.max_expires_after_seconds {
        let remedy = "Lower it, or raise `max_expires_after_seconds`";
        findings.refuse(
            &format!("{path}.expires_after_seconds"),
            "longer than `max_expires_after_seconds`",
            remedy,
        );
    }
}

fn lease(profile: &Profile, path: &str, findings: &mut Findings<'_>) {
    if profile.lease_seconds > profile.max_session_seconds {
        findings.refuse(
            &format!("{path}.lease_seconds"),
            "the lease is longer than the session",
            "Choose less than `max_session_seconds`, or 0 for no lease",
        );
    }
}

fn session(profile: &Profile, path: &str, findings: &mut Findings<'_>) {
    let session = format!("{path}.session");
    let Some(kind) = profile.session.kind() else {
        let what = "`type` must be `realtime` or `transcription`";
        return findings.refuse(
            &format!("{session}.type"),
            what,
            "Add `type = \"realtime\"`",
        );
    };
    model(profile, kind, &session, findings);
    for name in profile
        .session
        .expose()
        .keys()
        .filter(|name| !top_level(kind).contains(&name.as_str()))
    {
        let what = format!(
            "a {} session has no member `{}` known here",
            kind.name(),
            name.escape_debug()
        );
        findings.warn(
            &join(&session, name),
            &what,
            &suggest::remedy(name, &top_level(kind)),
        );
    }
    overrides(profile, kind, path, findings);
    echo(profile, kind, path, findings);
}

fn echo(profile: &Profile, kind: Kind, path: &str, findings: &mut Findings<'_>) {
    let known = top_level(kind);
    for (index, member) in profile.echo.iter().enumerate() {
        if !known.contains(&member.as_str()) {
            let what = format!(
                "no member at the top of a {} session: `{}`",
                kind.name(),
                member.escape_debug()
            );
            let remedy = suggest::remedy(member, &known);
            findings.refuse(&format!("{path}.echo[{index}]"), &what, &remedy);
        }
    }
}

fn model(profile: &Profile, kind: Kind, session: &str, findings: &mut Findings<'_>) {
    let model = profile.session.expose().get("model");
    let is_named = profile
        .session
        .text("model")
        .is_some_and(|model| !model.is_empty());
    match kind {
        // OpenAI mints for any model and fails only when the page connects.
        Kind::Realtime if !is_named => {
            findings.refuse(
                &format!("{session}.model"),
                "a realtime session needs a model",
                "Add `model = \"gpt-realtime-2.1\"`",
            );
        }
        Kind::Transcription if model.is_some() => {
            let remedy = "Move it to `audio.input.transcription.model`";
            findings.refuse(
                &format!("{session}.model"),
                "a transcription session has no `model` of its own",
                remedy,
            );
        }
        _ => {}
    }
}

fn overrides(profile: &Profile, kind: Kind, path: &str, findings: &mut Findings<'_>) {
    for (index, member) in profile.overrides.iter().enumerate() {
        let at = format!("{path}.overrides[{index}]");
        match member.as_str() {
            "type" | "model" => {
                let what = format!(
                    "`{member}` decides what a session may cost and is the profile's alone"
                );
                findings.refuse(&at, &what, "Remove it, and make a profile for each");
            }
            "tools" => findings.warn(
                &at,
                "callers could add tools and MCP servers of their own",
                "Remove it where they need none",
            ),
            _ if is_known(kind, member) => {}
            _ => unknown_path(&at, member, kind, findings),
        }
    }
}

fn unknown_path(at: &str, member: &str, kind: Kind, findings: &mut Findings<'_>) {
    let what = format!(
        "a {} session has no member `{}`",
        kind.name(),
        member.escape_debug()
    );
    let known = crate::session_members::paths(kind);
    let remedy = match suggest::nearest(member, known.iter().copied()) {
        Some(name) => format!("Did you mean `{name}`?"),
        None => "Name a member as OpenAI does, such as `audio.output.voice`".to_owned(),
    };
    findings.refuse(at, &what, &remedy);
}
