//! `[alerts]`: what an operator is told of by itself, and where that is sent.

use std::path::PathBuf;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::hidden;

/// Rules over those Hallpass ships, and who is told.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Milliseconds between two looks at the trail and at how things are.
    #[schemars(range(min = 50, max = 60_000))]
    pub look_ms: u64,
    /// Days an alert that ended is kept.
    #[schemars(range(min = 1, max = 3650))]
    pub retention_days: u32,
    /// Rules that differ from those Hallpass ships, and further ones.
    pub rule: Vec<AlertRule>,
    /// Who is told of alerts.
    pub webhook: Vec<Webhook>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            look_ms: 1000,
            retention_days: 90,
            rule: Vec::new(),
            webhook: Vec::new(),
        }
    }
}

/// A rule; what it does not say is as Hallpass ships it.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlertRule {
    /// The name of a rule Hallpass ships, or a name of its own together with `kind`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// What a rule with a name of its own watches.
    pub kind: Option<AlertKind>,
    /// Whether it is watched at all; absent: yes.
    pub enabled: Option<bool>,
    /// How urgent its alerts are.
    pub severity: Option<AlertSeverity>,
    /// The value beyond which it fires, in the unit of its kind.
    #[schemars(range(min = 0.0))]
    pub threshold: Option<f64>,
    /// The value at which it is over again.
    #[schemars(range(min = 0.0))]
    pub resolve: Option<f64>,
    /// Mints in the window before their share counts.
    #[schemars(range(min = 1))]
    pub min_mints: Option<u32>,
    /// Seconds it looks back; of events, how long one is remembered.
    #[schemars(range(min = 1, max = 604_800))]
    pub window_seconds: Option<u32>,
    /// Seconds it has to last before it is told.
    #[schemars(range(min = 0, max = 86_400))]
    pub hold_seconds: Option<u32>,
    /// Seconds it has to be well before it is over.
    #[schemars(range(min = 0, max = 86_400))]
    pub settle_seconds: Option<u32>,
}

/// What a rule watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A key stands in what an app's pages serve.
    KeyInClientCode,
    /// Failures in a hundred mints of the window.
    MintFailures,
    /// Client secrets one user obtained within the window.
    TokensPerUser,
    /// An upstream's breaker is open.
    BreakerOpen,
    /// An upstream refuses its standard key.
    UpstreamKeyRefused,
    /// The audit trail can't be written, signed or looked after.
    AuditFailing,
    /// Somebody who is sent the trail does not take it.
    AuditLagging,
    /// The second place of the checkpoints does not take them.
    CheckpointUndelivered,
    /// A pass was used a second time.
    PassReused,
    /// A caller or an address is refused again and again.
    RefusalsBurst,
    /// Something else that looks like an attack.
    SuspiciousUse,
    /// Hundredths of a day's budget that are used.
    BudgetNear,
    /// Hundredths of a day's budget that are used.
    BudgetExhausted,
    /// Days until a certificate or key ends.
    Expiring,
    /// An app's pages can't be scanned.
    ScanFailing,
}

impl AlertKind {
    /// Every kind; of each there is a rule of that name that needs no configuration.
    pub const ALL: [Self; 15] = [
        Self::KeyInClientCode,
        Self::MintFailures,
        Self::TokensPerUser,
        Self::BreakerOpen,
        Self::UpstreamKeyRefused,
        Self::AuditFailing,
        Self::AuditLagging,
        Self::CheckpointUndelivered,
        Self::PassReused,
        Self::RefusalsBurst,
        Self::SuspiciousUse,
        Self::BudgetNear,
        Self::BudgetExhausted,
        Self::Expiring,
        Self::ScanFailing,
    ];

    /// The name used in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyInClientCode => "key_in_client_code",
            Self::MintFailures => "mint_failures",
            Self::TokensPerUser => "tokens_per_user",
            Self::BreakerOpen => "breaker_open",
            Self::UpstreamKeyRefused => "upstream_key_refused",
            Self::AuditFailing => "audit_failing",
            Self::AuditLagging => "audit_lagging",
            Self::CheckpointUndelivered => "checkpoint_undelivered",
            Self::PassReused => "pass_reused",
            Self::RefusalsBurst => "refusals_burst",
            Self::SuspiciousUse => "suspicious_use",
            Self::BudgetNear => "budget_near",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Expiring => "expiring",
            Self::ScanFailing => "scan_failing",
        }
    }
}

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// To be known.
    #[default]
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

impl AlertSeverity {
    /// The name used in configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One receiver of alerts.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// Name in logs, metrics and the outbox.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The form of what is sent.
    pub format: WebhookFormat,
    /// Where it is sent; hidden, since that of Slack is a secret. Absent with
    /// `pagerduty`: PagerDuty's own. After loading it also holds what `url_file` held.
    #[serde(serialize_with = "hidden::secret")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub url: Option<SecretString>,
    /// File with the address; white space around it is dropped.
    pub url_file: Option<PathBuf>,
    /// With `standard`: what it is signed with, `whsec_…`, several with spaces
    /// while one is replaced. With `pagerduty`: the routing key. After loading it
    /// also holds what `secret_file` held.
    #[serde(serialize_with = "hidden::secret")]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub secret: Option<SecretString>,
    /// File with the secret; white space around it is dropped.
    pub secret_file: Option<PathBuf>,
    /// Alerts less urgent than this are not sent.
    pub min_severity: AlertSeverity,
    /// Milliseconds one try may take.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u64,
    /// Seconds after which a failed try is repeated, doubled each time.
    #[schemars(range(min = 1, max = 3600))]
    pub retry_seconds: u32,
    /// Seconds between two tries at most.
    #[schemars(range(min = 1, max = 86_400))]
    pub max_retry_seconds: u32,
    /// Hours after which a message nobody took is given up.
    #[schemars(range(min = 1, max = 720))]
    pub give_up_hours: u32,
    /// Whether it may be at a private or loopback address, then with plain HTTP too.
    pub allow_private_addresses: bool,
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            name: "webhook".to_owned(),
            format: WebhookFormat::Standard,
            url: None,
            url_file: None,
            secret: None,
            secret_file: None,
            min_severity: AlertSeverity::Info,
            timeout_ms: 10_000,
            retry_seconds: 5,
            max_retry_seconds: 600,
            give_up_hours: 72,
            allow_private_addresses: false,
        }
    }
}

/// The form of what a webhook is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// Standard Webhooks, signed.
    #[default]
    Standard,
    /// A message of Slack's incoming webhooks.
    Slack,
    /// An event of PagerDuty's Events API v2.
    PagerDuty,
}
