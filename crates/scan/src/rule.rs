//! What is looked for, and what to do about a find.

use serde::Serialize;

/// One kind of leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// An OpenAI key without a kind in its prefix.
    OpenaiUserKey,
    /// An OpenAI key of a project.
    OpenaiProjectKey,
    /// An OpenAI key of a service account.
    OpenaiServiceAccountKey,
    /// An OpenAI key that administers an organisation.
    OpenaiAdminKey,
    /// An OpenAI key with the name of a service in its prefix.
    OpenaiServiceKey,
    /// A client secret of the Realtime API or of `ChatKit`.
    OpenaiClientSecret,
    /// A pass of Hallpass.
    HallpassPass,
    /// An API key of Hallpass.
    HallpassKey,
    /// A value whose keyed hash the deployment gave.
    DeploymentKey,
    /// An OpenAI key assigned to a name that build tools put into the browser.
    PublicKeyName,
}

impl Rule {
    /// Every rule, in the order of its declaration.
    pub const ALL: [Self; 10] = [
        Self::OpenaiUserKey,
        Self::OpenaiProjectKey,
        Self::OpenaiServiceAccountKey,
        Self::OpenaiAdminKey,
        Self::OpenaiServiceKey,
        Self::OpenaiClientSecret,
        Self::HallpassPass,
        Self::HallpassKey,
        Self::DeploymentKey,
        Self::PublicKeyName,
    ];

    /// Its stable name in reports and baselines.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::OpenaiUserKey => "openai-user-key",
            Self::OpenaiProjectKey => "openai-project-key",
            Self::OpenaiServiceAccountKey => "openai-service-account-key",
            Self::OpenaiAdminKey => "openai-admin-key",
            Self::OpenaiServiceKey => "openai-service-key",
            Self::OpenaiClientSecret => "openai-client-secret",
            Self::HallpassPass => "hallpass-pass",
            Self::HallpassKey => "hallpass-key",
            Self::DeploymentKey => "deployment-key",
            Self::PublicKeyName => "public-key-name",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::OpenaiUserKey => "OpenAI user key",
            Self::OpenaiProjectKey => "OpenAI project key",
            Self::OpenaiServiceAccountKey => "OpenAI service account key",
            Self::OpenaiAdminKey => "OpenAI admin key",
            Self::OpenaiServiceKey => "OpenAI service key",
            Self::OpenaiClientSecret => "OpenAI client secret",
            Self::HallpassPass => "Hallpass pass",
            Self::HallpassKey => "Hallpass API key",
            Self::DeploymentKey => "key of this deployment",
            Self::PublicKeyName => "OpenAI key under a name that goes to the browser",
        }
    }

    /// What to do about a find.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::OpenaiUserKey
            | Self::OpenaiProjectKey
            | Self::OpenaiServiceAccountKey
            | Self::OpenaiAdminKey
            | Self::OpenaiServiceKey => {
                "Delete the key at OpenAI and make another; taking it out of the file is not enough."
            }
            Self::OpenaiClientSecret => {
                "It dies by itself, within two hours at most; find out what stored it."
            }
            Self::HallpassPass => "Revoke its grant, and find out what stored it.",
            Self::HallpassKey => "Revoke it: `hallpass keys revoke`.",
            Self::DeploymentKey => "Replace the key now: it is the one in use.",
            Self::PublicKeyName => {
                "Rename the variable without the public prefix and read it on the server alone."
            }
        }
    }

    /// Whether a find is a credential that still works until someone acts.
    #[must_use]
    pub const fn is_critical(self) -> bool {
        !matches!(self, Self::OpenaiClientSecret | Self::PublicKeyName)
    }
}
