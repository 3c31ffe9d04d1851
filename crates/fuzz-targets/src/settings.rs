//! A configuration file.

use std::path::Path;

use hallpass_config::from_toml_str;

/// A file's text: good, or refused with a sentence for each fault.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    // No file of this machine may be read by what a fuzzer writes.
    if text.contains("_file") || text.contains("file_") {
        return;
    }
    if let Err(problems) = from_toml_str(text, Path::new("/nowhere")) {
        for problem in problems.iter() {
            assert!(!problem.what.is_empty() && !problem.remedy.is_empty());
            assert!(!problem.to_string().contains(['\n', '\u{1b}']), "one line");
        }
    }
}
