//! One text and the source maps that belong to it.

use crate::{
    detector::{Detector, Leak},
    finding::{Finding, Original},
    position::{Lines, Position},
    source_map::{SourceMap, mapping_url},
};

/// Reads the file beside a text that a relative address names.
pub(crate) type Beside<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// Every find in a text and in the sources that its map carries.
pub(crate) fn search(
    detector: &Detector,
    path: &str,
    text: &[u8],
    beside: Beside<'_>,
) -> Vec<Finding> {
    let leaks = detector.detect(text);
    let mut findings = located(&leaks, path, text);
    if let Some(map) = is_map(path, text).then(|| SourceMap::parse(text)).flatten() {
        add_sources(detector, &map, path, &mut findings);
        return findings;
    }
    let inline = SourceMap::inline(text);
    if let Some(map) = &inline {
        add_sources(detector, map, path, &mut findings);
    }
    let missing = findings.iter().any(|finding| finding.original.is_none());
    if missing && let Some(map) = inline.or_else(|| map_beside(text, beside)) {
        add_originals(&map, &mut findings);
    }
    findings
}

fn located(leaks: &[Leak], path: &str, text: &[u8]) -> Vec<Finding> {
    let text = crate::decode::transcoded(text);
    let mut lines = Lines::new(&text);
    let mut find = |leak: &Leak| Finding::new(leak, path, lines.position(leak.span.start));
    leaks.iter().map(&mut find).collect()
}

fn is_map(path: &str, text: &[u8]) -> bool {
    let named = std::path::Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "map");
    let head = text.get(..text.len().min(4096)).unwrap_or_default();
    let begins = head.first().is_some_and(|byte| matches!(byte, b'{' | b')'));
    named || (begins && memchr::memmem::find(head, b"\"sources\"").is_some())
}

fn map_beside(text: &[u8], beside: Beside<'_>) -> Option<SourceMap> {
    let url = mapping_url(text).filter(|url| !url.starts_with("data:"))?;
    SourceMap::parse(&beside(url)?)
}

/// Searches a map's sources. A find that the text around them has too is told
/// once, with both places.
fn add_sources(detector: &Detector, map: &SourceMap, path: &str, findings: &mut Vec<Finding>) {
    for (name, content) in map.contents() {
        for source in located(
            &detector.detect(content.as_bytes()),
            path,
            content.as_bytes(),
        ) {
            let original = Original {
                path: name.to_owned(),
                position: source.position,
            };
            let same = |finding: &&mut Finding| {
                finding.fingerprint == source.fingerprint && finding.original.is_none()
            };
            if let Some(finding) = findings.iter_mut().find(same) {
                finding.original = Some(original);
                continue;
            }
            findings.push(Finding {
                position: Position { line: 1, column: 1 },
                original: Some(original),
                ..source
            });
        }
    }
}

fn add_originals(map: &SourceMap, findings: &mut [Finding]) {
    for finding in findings
        .iter_mut()
        .filter(|finding| finding.original.is_none())
    {
        let found = map.original(finding.position);
        finding.original = found.map(|(path, position)| Original { path, position });
    }
}
