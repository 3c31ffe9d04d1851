//! The numbers and rows of a page that change while it is open.
//!
//! A page is rendered from a [`Live`] and later events carry another one; the
//! script puts each text where the name is. So nothing is formatted twice.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything of a page that changes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Live {
    /// Texts by name.
    texts: BTreeMap<&'static str, String>,
    /// Whether what a name stands for is well: `good`, `warn`, `bad` or `none`.
    states: BTreeMap<&'static str, State>,
    /// Charts by name.
    pub(crate) charts: Vec<Chart>,
    /// Tables by name.
    pub(crate) tables: Vec<Table>,
}

/// Whether something is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Neither.
    #[default]
    None,
    /// It is.
    Good,
    /// It soon may not be.
    Warn,
    /// It is not.
    Bad,
}

impl State {
    /// The word in `data-state`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// Numbers over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Chart {
    /// Its name on the page.
    pub(crate) name: &'static str,
    /// What it is called.
    #[serde(skip)]
    pub(crate) title: &'static str,
    /// What a picture of it says, in a sentence.
    pub(crate) summary: String,
    /// What each line is.
    pub(crate) lines: Vec<Line>,
    /// When each point begins, Unix seconds.
    pub(crate) times: Vec<i64>,
    /// The same, as the table shows them.
    pub(crate) labels: Vec<String>,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    /// What it is.
    pub(crate) label: &'static str,
    /// Its colour: `accent`, `good`, `warn`, `bad` or `soft`.
    pub(crate) tone: &'static str,
    /// A number for each time.
    pub(crate) values: Vec<u64>,
}

/// Rows that come and go.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Table {
    /// Its name on the page.
    pub(crate) name: &'static str,
    /// The rows.
    pub(crate) rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Row {
    /// What tells it from others.
    pub(crate) key: String,
    /// Its cells, in the order of the columns.
    pub(crate) cells: Vec<Cell>,
    /// Where its form goes, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
}

/// One cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Cell {
    /// What it says.
    pub(crate) text: String,
    /// All of it, where that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) whole: Option<String>,
    /// Where it leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) href: Option<String>,
    /// Whether what it says is well.
    #[serde(skip_serializing_if = "is_none")]
    pub(crate) state: State,
    /// How much of a bound is used, in hundredths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) percent: Option<u8>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_none(state: &State) -> bool {
    matches!(state, State::None)
}

impl Cell {
    /// A cell of our own words.
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// A cell of someone else's words.
    pub(crate) fn foreign(text: &str) -> Self {
        let (short, whole) = (crate::text::short(text), crate::text::shown(text));
        Self {
            whole: (whole != short).then_some(whole),
            text: short,
            ..Self::default()
        }
    }

    /// The same, a dash where there are none.
    pub(crate) fn foreign_or_dash(text: Option<&str>) -> Self {
        text.map_or_else(|| Self::of("–"), Self::foreign)
    }

    /// Where it leads.
    pub(crate) fn to(self, href: impl Into<String>) -> Self {
        Self {
            href: Some(href.into()),
            ..self
        }
    }

    /// Whether it is well.
    pub(crate) fn is(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// All of what it stands for.
    pub(crate) fn whole(self, whole: impl Into<String>) -> Self {
        Self {
            whole: Some(whole.into()),
            ..self
        }
    }

    /// How much of a bound it is.
    pub(crate) fn percent(self, percent: Option<u8>) -> Self {
        Self { percent, ..self }
    }
}

impl Live {
    /// Sets a text.
    pub(crate) fn say(&mut self, name: &'static str, text: impl Into<String>) {
        self.texts.insert(name, text.into());
    }

    /// Sets whether what a name stands for is well.
    pub(crate) fn judge(&mut self, name: &'static str, state: State) {
        self.states.insert(name, state);
    }

    /// A text; empty where it was not set.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// Whether what a name stands for is well.
    pub(crate) fn state(&self, name: &str) -> State {
        self.states.get(name).copied().unwrap_or_default()
    }

    /// A table's rows; none where it was not set.
    pub(crate) fn rows(&self, name: &str) -> &[Row] {
        let table = self.tables.iter().find(|table| table.name == name);
        table.map_or(&[], |table| &table.rows)
    }

    /// A chart.
    pub(crate) fn chart(&self, name: &str) -> Option<&Chart> {
        self.charts.iter().find(|chart| chart.name == name)
    }
}
