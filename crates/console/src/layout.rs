//! The frame of every page.

use hallpass_core::permission::Permission;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{assets, operator::Operator, text::short};

/// The pages an operator may go to.
const PLACES: [(&str, &str, Option<Permission>); 8] = [
    ("/console/", "Overview", None),
    (
        "/console/sessions",
        "Sessions",
        Some(Permission::SessionsRead),
    ),
    ("/console/alerts", "Alerts", Some(Permission::AlertsRead)),
    ("/console/users", "Users", Some(Permission::UsageRead)),
    ("/console/usage", "Usage", Some(Permission::UsageRead)),
    (
        "/console/revocations",
        "Revocations",
        Some(Permission::SessionsRead),
    ),
    ("/console/keys", "Keys", Some(Permission::KeysRead)),
    ("/console/audit", "Audit", Some(Permission::AuditRead)),
];

/// What a page is.
pub(crate) struct Frame<'a> {
    /// Its name.
    pub(crate) title: &'a str,
    /// Where it is among the places.
    pub(crate) place: &'a str,
    /// Where its events come from; none where nothing of it changes.
    pub(crate) events: Option<String>,
}

/// A whole page for a signed-in operator.
pub(crate) fn page(frame: &Frame<'_>, operator: &Operator, main: &Markup) -> Markup {
    let key = operator.key();
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(frame.title))
            body {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.brand href="/console/" { (mark()) span { "Hallpass" } }
                    nav aria-label="Console" {
                        @for (href, name, permission) in PLACES {
                            @if permission.is_none_or(|permission| operator.may(permission)) {
                                a href=(href) aria-current=[(href == frame.place).then_some("page")] { (name) }
                            }
                        }
                    }
                    div.who {
                        span title=(format!("API key {key}")) { bdi { (short(operator.name().as_str())) } }
                        form method="post" action="/console/sign-out" {
                            (csrf(operator))
                            button.quiet type="submit" { "Sign out" }
                        }
                    }
                }
                main #main tabindex="-1" data-events=[frame.events.as_deref()] {
                    div.title {
                        h1 { (frame.title) }
                        @if frame.events.is_some() {
                            p.pulse #pulse data-state="none" role="status" { "Updates when the page is loaded" }
                        }
                    }
                    (main)
                }
            }
        }
    }
}

/// A page for someone who is not signed in.
pub(crate) fn outside(title: &str, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body.outside {
                main #main {
                    p.brand { (mark()) span { "Hallpass" } }
                    (main)
                }
            }
        }
    }
}

/// What tells a form of this session from a forgery.
pub(crate) fn csrf(operator: &Operator) -> Markup {
    html! { input type="hidden" name="csrf" value=(operator.csrf); }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="robots" content="noindex";
            title { (title) " · Hallpass" }
            link rel="icon" href=(assets::icon()) type="image/svg+xml";
            link rel="stylesheet" href=(assets::style());
            script src=(assets::script()) defer {}
        }
    }
}

/// The mark: a pass with a wave on it.
fn mark() -> Markup {
    PreEscaped(
        r#"<svg class="mark" viewBox="0 0 32 32" width="24" height="24" aria-hidden="true"><rect x="4" y="3" width="24" height="26" rx="7" fill="currentColor"/><path class="wave" d="M10 16v2M14 12v10M18 9v15M22 15v4" stroke-width="2.6" stroke-linecap="round" fill="none"/></svg>"#
            .to_owned(),
    )
}
