//! The parts of a document that a benchmark writes.

/// What stands before and after such a part.
pub(crate) struct Markers {
    pub(crate) begin: &'static str,
    pub(crate) end: &'static str,
}

/// A part put between its markers in a text, or at the text's end.
pub(crate) fn placed(text: &str, markers: &Markers, part: &str) -> String {
    let Markers { begin, end } = markers;
    let block = format!("{begin}\n\n{part}\n\n{end}");
    let around = text
        .split_once(begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
    match around {
        Some((before, after)) => format!("{before}{block}{after}"),
        None if text.trim().is_empty() => format!("{block}\n"),
        None => format!("{}\n\n{block}\n", text.trim_end()),
    }
}
