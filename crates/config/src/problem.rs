//! What is wrong with a configuration, where, and what to do.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The configuration file; line and column count from 1, the column in characters.
    File {
        /// The file as it was named.
        file: Arc<str>,
        /// Line of the value or of its name.
        line: usize,
        /// Column in that line.
        column: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(String),
    /// Nobody set it.
    Default,
}

impl Origin {
    /// The first position of a file.
    pub(crate) fn file(file: &Path) -> Self {
        Self::File {
            file: file.display().to_string().into(),
            line: 1,
            column: 1,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One thing that is wrong. It never holds any part of a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where the value comes from.
    pub origin: Origin,
    /// The member, such as `auth.jwt[0].issuer`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // "default" would say nothing about where to look.
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        let end = if self.remedy.ends_with(['?', '.']) {
            ""
        } else {
            "."
        };
        write!(f, "{}. {}{end}", self.what, self.remedy)
    }
}

/// Everything found wrong, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems as an error, or `None` where there are none.
    pub(crate) fn from_list(mut list: Vec<Problem>) -> Option<Self> {
        list.sort();
        list.dedup();
        (!list.is_empty()).then_some(Self(list))
    }

    /// A single problem as an error.
    pub(crate) fn single(problem: Problem) -> Self {
        Self(vec![problem])
    }

    /// One problem after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}
