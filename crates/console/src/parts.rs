//! What pages are made of.

use maud::{Markup, html};

use crate::{
    layout::csrf,
    live::{Cell, Chart, Live, Row},
    operator::Operator,
};

/// A number an operator looks at first, and what belongs to it.
pub(crate) fn tile(
    live: &Live,
    label: &str,
    name: &'static str,
    note: Option<&'static str>,
) -> Markup {
    html! {
        div.tile data-state=(live.state(name).word()) data-judged=(name) {
            dt { (label) }
            dd {
                b data-text=(name) { (live.text(name)) }
                @if let Some(note) = note { small data-text=(note) { (live.text(note)) } }
            }
        }
    }
}

/// A column of a table.
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it holds numbers.
    pub(crate) is_number: bool,
}

/// A column of words.
pub(crate) const fn words(name: &'static str) -> Column {
    Column {
        name,
        is_number: false,
    }
}

/// A column of numbers.
pub(crate) const fn numbers(name: &'static str) -> Column {
    Column {
        name,
        is_number: true,
    }
}

/// What a row's button asks before it does something.
pub(crate) struct Ask {
    /// What the table's rows are, in the ids of their forms.
    pub(crate) name: &'static str,
    /// What the button in the row says.
    pub(crate) button: &'static str,
    /// What is asked.
    pub(crate) question: &'static str,
    /// What it does, in a sentence.
    pub(crate) about: &'static str,
    /// What the button that does it says.
    pub(crate) confirm: &'static str,
    /// Whether a reason is asked for.
    pub(crate) reason: bool,
    /// Whether it takes something away.
    pub(crate) is_grave: bool,
}

/// A table that events keep current.
pub(crate) struct Sheet<'a> {
    /// Its name in the live view.
    pub(crate) name: &'static str,
    /// What it shows, for who does not see it.
    pub(crate) caption: &'a str,
    /// Its columns.
    pub(crate) columns: &'a [Column],
    /// What it says where it has no rows.
    pub(crate) empty: &'a str,
    /// What can be done with a row, and by whom.
    pub(crate) ask: Option<(Ask, &'a Operator)>,
}

impl Sheet<'_> {
    /// The table.
    pub(crate) fn show(&self, live: &Live) -> Markup {
        let rows = live.rows(self.name);
        html! {
            div.sheet data-table=(self.name) data-empty[rows.is_empty()] {
                table {
                    caption.unseen { (self.caption) }
                    thead {
                        tr {
                            @for column in self.columns {
                                th.number[column.is_number] scope="col" { (column.name) }
                            }
                            @if self.ask.is_some() { th scope="col" { span.unseen { "Action" } } }
                        }
                    }
                    tbody { @for row in rows { (self.row(row)) } }
                }
                p.empty { (self.empty) }
                template { (self.row(&self.blank())) }
            }
        }
    }

    /// A row as script fills it in.
    fn blank(&self) -> Row {
        Row {
            cells: self.columns.iter().map(|_| Cell::default()).collect(),
            ..Row::default()
        }
    }

    fn row(&self, row: &Row) -> Markup {
        let cells = row.cells.iter().zip(self.columns);
        html! {
            tr data-key=(row.key) {
                @for (cell, column) in cells { (show_cell(cell, column)) }
                @if let Some((ask, operator)) = &self.ask { td.act { (ask_form(ask, row, operator)) } }
            }
        }
    }
}

fn show_cell(cell: &Cell, column: &Column) -> Markup {
    html! {
        td.number[column.is_number] data-label=(column.name) data-state=(cell.state.word()) title=[cell.whole.as_deref()] {
            a href=[cell.href.as_deref()] { bdi { (cell.text) } }
            @if let Some(percent) = cell.percent {
                meter min="0" max="100" low="80" high="99" optimum="0" value=(percent) aria-label=(format!("{}: {percent} %", column.name)) {}
            }
        }
    }
}

/// A button, and what it asks first. Works without script.
fn ask_form(ask: &Ask, row: &Row, operator: &Operator) -> Markup {
    let Some(action) = row.action.as_deref().or(row.key.is_empty().then_some("")) else {
        return html! {};
    };
    let subject = row.cells.first().map_or("", |cell| &cell.text);
    let id = format!("{}-{}", ask.name, row.key);
    let reason = format!("{id}-reason");
    html! {
        button.small.danger[ask.is_grave] type="button" popovertarget=(id) aria-label=(format!("{} {subject}", ask.button)) { (ask.button) }
        div.ask id=(id) popover="auto" role="dialog" aria-label=(ask.question) {
            form method="post" action=(action) {
                (csrf(operator))
                p.question { (ask.question) " " bdi.subject { (subject) } }
                p { (ask.about) }
                @if ask.reason {
                    label for=(reason) { "Reason, for the audit trail" }
                    input id=(reason) name="reason" maxlength="256" autocomplete="off";
                }
                div.buttons {
                    button type="button" popovertarget=(id) popovertargetaction="hide" { "Cancel" }
                    button.danger[ask.is_grave].filled[ask.is_grave].primary[!ask.is_grave] type="submit" { (ask.confirm) }
                }
            }
        }
    }
}

/// Numbers over time: a picture, and a table of the same.
pub(crate) fn chart(chart: &Chart) -> Markup {
    html! {
        figure.card.chart data-chart=(chart.name) {
            figcaption {
                h2 { (chart.title) }
                ul.legend aria-hidden="true" {
                    @for line in &chart.lines { li data-tone=(line.tone) { (line.label) } }
                }
            }
            div.plot role="img" aria-label=(chart.summary) {}
            p.summary data-summary="" { (chart.summary) }
            details {
                summary { "Table of the same numbers" }
                (chart_table(chart))
            }
        }
    }
}

fn chart_table(chart: &Chart) -> Markup {
    let newest_first = chart.labels.iter().enumerate().rev();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(format!("{}: table", chart.title)) {
            table {
                caption.unseen { (chart.title) }
                thead {
                    tr {
                        th scope="col" { "From (UTC)" }
                        @for line in &chart.lines { th.number scope="col" { (line.label) } }
                    }
                }
                tbody {
                    @for (place, label) in newest_first {
                        tr {
                            th scope="row" data-time=(chart.times.get(place).copied().unwrap_or(0)) { (label) }
                            @for line in &chart.lines { td.number { (line.values.get(place).copied().unwrap_or(0)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A part of a page under a heading.
pub(crate) fn card(title: &str, more: Option<(&str, &str)>, inner: &Markup) -> Markup {
    html! {
        section.card {
            div.cardhead {
                h2 { (title) }
                @if let Some((href, text)) = more { a href=(href) { (text) } }
            }
            (inner)
        }
    }
}

/// One choice among a few, as links.
pub(crate) fn choices(label: &str, chosen: &str, all: &[(&str, String, &str)]) -> Markup {
    html! {
        nav.choices aria-label=(label) {
            @for (value, href, name) in all {
                a href=(href) aria-current=[(*value == chosen).then_some("true")] { (name) }
            }
        }
    }
}

/// What was just done, or why not.
pub(crate) fn note(state: &str, text: &str) -> Markup {
    html! { p.note data-state=(state) role="status" { (text) } }
}
