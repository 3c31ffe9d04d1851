//! What pages and programs load.

use std::{collections::BTreeSet, sync::LazyLock};

use regex::Regex;

/// Scripts, and links that load: in an element's attributes. Quotes may be
/// missing, as minifiers leave them out.
static ATTRIBUTES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?is)<(?:script|link|iframe|frame)\b[^>]*?\b(?:src|href)\s*=\s*(?:"([^"]+)"|'([^']+)'|([^\s"'<>]+))"#).ok()
});

/// Literals that name a program, a style, a map or what a program reads its
/// settings from.
static LITERALS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"["'`(]((?:https?://|/|\./|\.\./)?[A-Za-z0-9_@~$%+./\[\]()-]{1,300}\.(?:m?js|cjs|css|map|wasm|json|webmanifest)(?:\?[A-Za-z0-9_=&.%-]{0,200})?)["'`)]"#).ok()
});

/// What a page loads, by its elements.
pub(super) fn of_page(html: &str) -> BTreeSet<String> {
    let Some(attributes) = &*ATTRIBUTES else {
        return BTreeSet::new();
    };
    let link = |found: regex::Captures<'_>| {
        let value = (1..=3).find_map(|group| found.get(group))?;
        Some(value.as_str().replace("&amp;", "&"))
    };
    attributes
        .captures_iter(html)
        .filter_map(link)
        .filter(|link| loads_a_program(link))
        .collect()
}

/// What a program loads: every literal that looks like the name of a file of
/// that kind. Not each of them is one.
pub(super) fn of_program(text: &str) -> BTreeSet<String> {
    let Some(literals) = &*LITERALS else {
        return BTreeSet::new();
    };
    let name = |found: regex::Captures<'_>| found.get(1).map(|name| name.as_str().to_owned());
    literals.captures_iter(text).filter_map(name).collect()
}

/// Pictures, fonts and feeds are left alone.
fn loads_a_program(link: &str) -> bool {
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((_, extension)) = name.rsplit_once('.') else {
        return true;
    };
    let left_alone = [
        "png", "jpg", "jpeg", "gif", "svg", "ico", "webp", "avif", "woff", "woff2", "ttf", "otf",
        "xml",
    ];
    !left_alone.contains(&extension.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_to_its_scripts_and_preloads() {
        let html = r#"<link rel=modulepreload href=/assets/a.js><script type="module" src='/b.js?v=1&amp;w=2'></script>
            <link rel="icon" href="/favicon.ico"><a href="/about">x</a><link rel="stylesheet" href="s.css">"#;
        let found: Vec<String> = of_page(html).into_iter().collect();
        assert_eq!(found, ["/assets/a.js", "/b.js?v=1&w=2", "s.css"]);
    }

    #[test]
    fn a_program_leads_to_its_chunks_and_workers() {
        let program = r#"import("./chunk-1.js");navigator.serviceWorker.register('/sw.js');importScripts("w.mjs");x="not a file";fetch("/config.json")"#;
        let found: Vec<String> = of_program(program).into_iter().collect();
        assert_eq!(found, ["./chunk-1.js", "/config.json", "/sw.js", "w.mjs"]);
    }
}
