//! `[alerts]`.

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret;
use url::Url;

use super::{Findings, address, repeated};
use crate::{
    section::{AlertKind, AlertRule, Alerts, Webhook, WebhookFormat},
    suggest,
};

/// Bytes of a Standard Webhooks secret.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const MAKE_SECRET: &str = "Make one with `printf 'whsec_%s' \"$(openssl rand -base64 32)\"`";

pub(super) fn check(alerts: &Alerts, findings: &mut Findings<'_>) {
    for (index, rule) in alerts.rule.iter().enumerate() {
        check_rule(rule, &format!("alerts.rule[{index}]"), findings);
    }
    if let Some((index, name)) = repeated(alerts.rule.iter().map(|rule| rule.name.as_str())) {
        let what = format!("two rules are named `{name}`");
        let path = format!("alerts.rule[{index}].name");
        findings.refuse(
            &path,
            &what,
            "Keep one, or give the other a `kind` and a name",
        );
    }
    for (index, webhook) in alerts.webhook.iter().enumerate() {
        check_webhook(webhook, &format!("alerts.webhook[{index}]"), findings);
    }
    let names = alerts.webhook.iter().map(|webhook| webhook.name.as_str());
    if let Some((index, name)) = repeated(names) {
        let what = format!("two webhooks are named `{name}`");
        let path = format!("alerts.webhook[{index}].name");
        findings.refuse(&path, &what, "Give each a name of its own");
    }
}

fn check_rule(rule: &AlertRule, path: &str, findings: &mut Findings<'_>) {
    let shipped = AlertKind::ALL.into_iter().find(|it| it.name() == rule.name);
    let at_name = format!("{path}.name");
    match (shipped, rule.kind) {
        (None, None) => {
            let names = AlertKind::ALL.into_iter().map(AlertKind::name);
            let remedy = match suggest::nearest(&rule.name, names) {
                Some(near) => format!("Did you mean `{near}`? A rule of your own needs a `kind`"),
                None => "Name one of Hallpass's rules, or add a `kind`".to_owned(),
            };
            findings.refuse(&at_name, "Hallpass ships no such rule", &remedy);
        }
        (Some(shipped), Some(kind)) if shipped != kind => findings.refuse(
            &at_name,
            "the name is that of a rule of another kind",
            "Choose another name",
        ),
        _ => {}
    }
    let Some(kind) = rule.kind.or(shipped) else {
        return;
    };
    let (Some(threshold), Some(resolve)) = (rule.threshold, rule.resolve) else {
        return;
    };
    let is_below = kind == AlertKind::Expiring;
    let overlaps = match is_below {
        true => resolve < threshold,
        false => resolve > threshold,
    };
    if overlaps {
        let remedy = match is_below {
            true => "Raise `resolve` to at least `threshold`",
            false => "Lower `resolve` to at most `threshold`",
        };
        let path = format!("{path}.resolve");
        findings.refuse(&path, "it would be over before it began", remedy);
    }
}

fn check_webhook(webhook: &Webhook, path: &str, findings: &mut Findings<'_>) {
    check_url(webhook, path, findings);
    let name = match webhook.secret_file {
        Some(_) => "secret_file",
        None => "secret",
    };
    let at_secret = format!("{path}.{name}");
    let secret = webhook.secret.as_ref().map(ExposeSecret::expose_secret);
    match (webhook.format, secret) {
        (WebhookFormat::Standard, None) => {
            findings.refuse(&at_secret, "nothing would be signed", MAKE_SECRET);
        }
        (WebhookFormat::Standard, Some(secret)) => {
            if secret.split_whitespace().next().is_none()
                || !secret.split_whitespace().all(is_signing_secret)
            {
                let what =
                    "this is no secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64";
                findings.refuse(&at_secret, what, MAKE_SECRET);
            }
        }
        (WebhookFormat::PagerDuty, None) => findings.refuse(
            &at_secret,
            "PagerDuty takes nothing without a routing key",
            "Set the integration key of an Events API v2 integration",
        ),
        (WebhookFormat::PagerDuty, Some(_)) | (WebhookFormat::Slack, None) => {}
        (WebhookFormat::Slack, Some(_)) => findings.refuse(
            &at_secret,
            "Slack's webhooks are not signed: their address is the secret",
            "Remove it",
        ),
    }
    if webhook.max_retry_seconds < webhook.retry_seconds {
        let path = format!("{path}.max_retry_seconds");
        findings.refuse(
            &path,
            "the longest wait is shorter than the first",
            "Raise it to at least `retry_seconds`",
        );
    }
}

fn check_url(webhook: &Webhook, path: &str, findings: &mut Findings<'_>) {
    let name = match webhook.url_file {
        Some(_) => "url_file",
        None => "url",
    };
    let path = format!("{path}.{name}");
    let Some(text) = &webhook.url else {
        if webhook.format != WebhookFormat::PagerDuty {
            findings.refuse(
                &path,
                "there is no address to send to",
                "Set `url` or `url_file`",
            );
        }
        return;
    };
    let url = Url::parse(text.expose_secret())
        .ok()
        .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        return findings.refuse(&path, "this is no address", "Write `https://…`");
    };
    if address::is_private(&url) && !webhook.allow_private_addresses {
        findings.refuse(
            &path,
            "the address is private or this machine's",
            "Write a public one, or set `allow_private_addresses = true`",
        );
    }
    if url.scheme() == "http" && !webhook.allow_private_addresses {
        findings.refuse(
            &path,
            "alerts would travel in the clear",
            "Write `https://`",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        findings.refuse(
            &path,
            "the address holds a password",
            "Remove it: what is sent is signed",
        );
    }
}

fn is_signing_secret(text: &str) -> bool {
    let bytes = text
        .strip_prefix("whsec_")
        .and_then(|base64| STANDARD.decode(base64).ok());
    bytes.is_some_and(|bytes| SECRET_BYTES.contains(&bytes.len()))
}
