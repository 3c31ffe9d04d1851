//! What a receiver is sent, in the form it reads.

use hallpass_api::alerts::AlertAnswer;
use hallpass_config::section::WebhookFormat;
use hallpass_core::alert::{Alert, Letter, Severity};
use serde_json::{Value, json};

/// Longest summary PagerDuty takes, in characters.
const LONGEST_SUMMARY: usize = 1024;

/// The body of a message. `source` is this server, `routing_key` PagerDuty's.
pub(super) fn body(
    format: WebhookFormat,
    letter: &Letter,
    source: &str,
    routing_key: Option<&str>,
) -> Value {
    match format {
        WebhookFormat::Standard => standard(letter, source),
        WebhookFormat::Slack => slack(&letter.alert, source),
        WebhookFormat::PagerDuty => pagerduty(&letter.alert, source, routing_key),
    }
}

fn standard(letter: &Letter, source: &str) -> Value {
    let turn = match letter.alert.is_active() {
        true => "alert.started",
        false => "alert.ended",
    };
    json!({
        "type": turn,
        "timestamp": letter.written_at.to_string(),
        "source": source,
        "data": AlertAnswer::from(&letter.alert),
    })
}

fn slack(alert: &Alert, source: &str) -> Value {
    let (colour, word) = match (alert.is_active(), alert.severity) {
        (false, _) => ("#2eb67d", "Ended"),
        (true, Severity::Critical) => ("#e01e5a", "Critical"),
        (true, Severity::Warning) => ("#ecb22e", "Warning"),
        (true, Severity::Info) => ("#36c5f0", "Info"),
    };
    let summary = plain(&alert.summary);
    let mut lines = vec![format!("*{word}: {}*", plain(&alert.rule)), summary.clone()];
    if alert.is_active() {
        lines.push(format!("_{}_", plain(alert.remedy())));
    }
    json!({
        "text": format!("{word}: {summary}"),
        "attachments": [{
            "color": colour,
            "mrkdwn_in": ["text"],
            "text": lines.join("\n"),
            "footer": format!("{} · {}", plain(source), alert.id),
            "ts": alert.ended_at.unwrap_or(alert.started_at).as_second(),
        }],
    })
}

/// A text without Slack's marks: no link, no mention, no other letter type.
fn plain(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    escaped
        .replace('>', "&gt;")
        .replace(['*', '_', '~', '`'], " ")
}

fn pagerduty(alert: &Alert, source: &str, routing_key: Option<&str>) -> Value {
    let summary: String = alert.summary.chars().take(LONGEST_SUMMARY).collect();
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": if alert.is_active() { "trigger" } else { "resolve" },
        "dedup_key": format!("hallpass-{source}-{}", alert.fingerprint),
    });
    if alert.is_active() {
        event["client"] = "Hallpass".into();
        event["payload"] = json!({
            "summary": summary,
            "source": source,
            "severity": <&str>::from(alert.severity),
            "timestamp": alert.started_at.to_string(),
            "component": "hallpass",
            "group": alert.rule,
            "class": alert.kind.as_str(),
            "custom_details": {
                "alert": alert.id.as_str(),
                "cause": alert.cause,
                "value": alert.value,
                "threshold": alert.threshold,
                "remedy": alert.remedy(),
            },
        });
    }
    event
}

#[cfg(test)]
mod tests {
    use hallpass_core::{
        Timestamp,
        alert::{AlertId, Cause, Fingerprint, Rule, RuleKind},
    };

    use super::*;

    fn letter(ended: bool) -> Letter {
        let rule = Rule::standard(RuleKind::TokensPerUser);
        let cause = Cause::from([("subject".to_owned(), "<!channel> *x*".to_owned())]);
        let begun = Timestamp::from_second(1_795_381_200).unwrap();
        let alert = Alert {
            id: AlertId::from_random([1; 16]),
            fingerprint: Fingerprint::of(&rule.name, &cause),
            rule: rule.name.clone(),
            kind: rule.kind,
            severity: rule.severity,
            summary: format!("{} obtained 11 client secrets", cause["subject"]),
            cause,
            value: 11.0,
            threshold: rule.threshold,
            started_at: begun,
            last_seen_at: begun,
            ended_at: ended.then_some(begun),
            acknowledged: None,
        };
        Letter {
            id: "msg_1".to_owned(),
            receiver: "ops".to_owned(),
            alert,
            written_at: begun,
            tries: 0,
        }
    }

    #[test]
    fn a_standard_message_names_its_type_and_holds_the_alert() {
        let sent = body(
            WebhookFormat::Standard,
            &letter(false),
            "voice.example.com",
            None,
        );
        assert_eq!(sent["type"], "alert.started");
        assert_eq!(sent["data"]["cause"]["subject"], "<!channel> *x*");
        assert_eq!(sent["timestamp"], "2026-11-22T21:00:00Z");
        let sent = body(WebhookFormat::Standard, &letter(true), "x", None);
        assert_eq!(sent["type"], "alert.ended");
        assert_eq!(sent["data"]["state"], "ended");
    }

    #[test]
    fn slack_is_sent_no_marks_of_a_callers() {
        let sent = body(
            WebhookFormat::Slack,
            &letter(false),
            "voice.example.com",
            None,
        );
        let text = sent.to_string();
        assert!(text.contains("&lt;!channel&gt;"), "{text}");
        assert!(
            !text.contains("<!channel>") && !text.contains("*x*"),
            "{text}"
        );
        let ended = body(WebhookFormat::Slack, &letter(true), "x", None);
        assert!(ended["text"].as_str().unwrap().starts_with("Ended: "));
    }

    #[test]
    fn pagerduty_is_told_to_resolve_what_it_was_told_of() {
        let begun = body(WebhookFormat::PagerDuty, &letter(false), "a", Some("R123"));
        let ended = body(WebhookFormat::PagerDuty, &letter(true), "a", Some("R123"));
        assert_eq!(begun["event_action"], "trigger");
        assert_eq!(ended["event_action"], "resolve");
        assert_eq!(begun["dedup_key"], ended["dedup_key"]);
        assert_eq!(begun["payload"]["severity"], "info");
        assert_eq!(begun["routing_key"], "R123");
        assert!(ended.get("payload").is_none());
    }
}
