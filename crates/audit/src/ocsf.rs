//! Which OCSF event a record is.

use hallpass_core::audit::{Action, AuditEvent, Outcome};

/// The application whose trail this is, as OCSF names it.
pub(crate) const PRODUCT: &str = "Hallpass";

/// The OCSF classes in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Who sends a request was asked.
    Authentication,
    /// A key or the configuration was changed.
    EntityManagement,
    /// The server itself started, stopped, or changed its state.
    ApplicationLifecycle,
    /// A request to the API.
    ApiActivity,
}

impl Class {
    /// `class_uid`; its thousands are `category_uid`.
    pub(crate) const fn uid(self) -> u32 {
        match self {
            Self::Authentication => 3002,
            Self::EntityManagement => 3004,
            Self::ApplicationLifecycle => 6002,
            Self::ApiActivity => 6003,
        }
    }
}

/// A kind of record: its name here and its place in OCSF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The action's name.
    pub(crate) name: &'static str,
    /// The class of event.
    pub(crate) class: Class,
    /// `activity_id` within the class.
    pub(crate) activity: u32,
}

const CREATE: u32 = 1;
const READ: u32 = 2;
const UPDATE: u32 = 3;
const DELETE: u32 = 4;
const LOGON: u32 = 1;
const LOGOFF: u32 = 2;
const START: u32 = 3;
const STOP: u32 = 4;
const OTHER: u32 = 99;

impl Kind {
    /// The trail's own record of a torn tail it cut.
    pub(crate) const REPAIR: Self = Self {
        name: "trail.repair",
        class: Class::ApplicationLifecycle,
        activity: OTHER,
    };

    /// The kind of an event: what a request does to the server itself is a
    /// request first.
    pub(crate) fn of(event: &AuditEvent) -> Self {
        let (class, activity) = match place(event.action) {
            (Class::ApplicationLifecycle, _) if event.request.is_some() => {
                (Class::ApiActivity, OTHER)
            }
            place => place,
        };
        Self {
            name: event.action.into(),
            class,
            activity,
        }
    }

    /// `type_uid`.
    pub(crate) const fn type_uid(self) -> u32 {
        self.class.uid() * 100 + self.activity
    }
}

const fn place(action: Action) -> (Class, u32) {
    use Class::{ApiActivity, ApplicationLifecycle, Authentication, EntityManagement};
    match action {
        Action::Authenticate | Action::ConsoleSignIn => (Authentication, LOGON),
        Action::ConsoleSignOut => (Authentication, LOGOFF),
        Action::KeyCreate => (EntityManagement, CREATE),
        Action::KeyRotate | Action::ConfigChange | Action::AuditKeyRotate => {
            (EntityManagement, UPDATE)
        }
        Action::KeyRevoke => (EntityManagement, DELETE),
        Action::ServerStart => (ApplicationLifecycle, START),
        Action::ServerStop => (ApplicationLifecycle, STOP),
        Action::BreakerChange
        | Action::TrailGap
        | Action::ClockJump
        | Action::TrailCheckpoint
        | Action::TrailArchive
        | Action::TrailErase
        | Action::TrailPurge
        | Action::AlertStart
        | Action::AlertEnd
        | Action::ScanRun => (ApplicationLifecycle, OTHER),
        Action::GrantCreate
        | Action::GrantRefresh
        | Action::RevocationAdd
        | Action::InterviewRegister
        | Action::SessionStart
        | Action::SessionCall => (ApiActivity, CREATE),
        Action::GrantRead
        | Action::AuditRead
        | Action::SessionRead
        | Action::UsageRead
        | Action::ConsoleRead
        | Action::AlertRead => (ApiActivity, READ),
        Action::GrantReport
        | Action::SessionRenew
        | Action::SessionGuard
        | Action::SessionDrift
        | Action::SessionTakeover
        | Action::AlertAcknowledge => (ApiActivity, UPDATE),
        Action::GrantRevoke
        | Action::GrantExpire
        | Action::RevocationLift
        | Action::InterviewEnd
        | Action::SessionEnd => (ApiActivity, DELETE),
        Action::AdminRequest | Action::Anomaly => (ApiActivity, OTHER),
    }
}

/// `status_id` of an outcome, and `status` where the number does not say it.
pub(crate) const fn status(outcome: &Outcome) -> (u32, Option<&'static str>) {
    match outcome {
        Outcome::Success => (1, None),
        Outcome::Refused { .. } | Outcome::Failed { .. } => (2, None),
        Outcome::Pending => (OTHER, Some("Pending")),
        Outcome::Abandoned => (OTHER, Some("Abandoned")),
    }
}

/// What succeeds and still deserves a look.
const NOTABLE: [&str; 3] = ["trail.gap", "clock.jump", "alert.start"];

/// `severity_id`: 1 informational, 2 low, 3 medium, 4 high.
pub(crate) fn severity(kind: Kind, outcome: &Outcome) -> u32 {
    if kind.name == <&str>::from(Action::Anomaly) {
        return 4;
    }
    if kind == Kind::REPAIR || NOTABLE.contains(&kind.name) {
        return 3;
    }
    match outcome {
        Outcome::Success | Outcome::Pending => 1,
        Outcome::Refused { .. } | Outcome::Abandoned => 2,
        Outcome::Failed { .. } => 3,
    }
}
