//! "Did you mean": the known name nearest to one that is not known.

/// The nearest of the known names, where one is near enough to be meant.
pub(crate) fn nearest<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let unknown = unknown.to_lowercase();
    let bound = (unknown.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&unknown, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, name)| name)
}

/// Where a member went that was known before.
pub(crate) fn moved(path: &str, name: &str) -> Option<&'static str> {
    match (path, name) {
        ("mint", "alarm_failure_percent") => Some(
            "The rule `mint_failures` watches this now: set its `threshold` in [[alerts.rule]]",
        ),
        ("mint", "alarm_min_mints") => Some(
            "The rule `mint_failures` watches this now: set its `min_mints` in [[alerts.rule]]",
        ),
        ("mint", "alarm_window_seconds") => Some(
            "The rule `mint_failures` watches this now: set its `window_seconds` in [[alerts.rule]]",
        ),
        _ => None,
    }
}

/// A remedy: the nearest name, or else all of them.
pub(crate) fn remedy(unknown: &str, known: &[&str]) -> String {
    match nearest(unknown, known.iter().copied()) {
        Some(name) => format!("Did you mean `{name}`?"),
        None => format!("Known here: {}", known.join(", ")),
    }
}
