//! Files, archives, source maps, git history.

use std::{fs, io::Write, path::Path, process::Command};

use flate2::{Compression, write::GzEncoder};
use hallpass_scan::{Detector, FileOptions, Finding, Outcome, Scanner, history};
use tempfile::TempDir;

use crate::keys::Chance;

fn scan(path: &Path, options: FileOptions) -> Outcome {
    let scanner = Scanner::new(Detector::new().unwrap());
    scanner.path(path, options).unwrap();
    scanner.finish()
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn key(seed: u64) -> String {
    Chance::new(seed).key("proj-74")
}

/// Names of the files with finds, below the folder.
fn names(folder: &TempDir, outcome: &Outcome) -> Vec<String> {
    let root = format!("{}/", folder.path().display());
    outcome
        .findings
        .iter()
        .map(|finding| finding.path.replace(&root, ""))
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tarball(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Brotli of a text as it is: one uncompressed block and the end.
fn brotli(text: &[u8]) -> Vec<u8> {
    assert!((1..=65536).contains(&text.len()));
    let length = u32::try_from(text.len() - 1).unwrap();
    // Bits from the low end: window of 16 (1 bit), not the last block, four
    // nibbles of length, the length, uncompressed; then padding.
    let head = length << 4 | 1 << 20;
    let mut packed = head.to_le_bytes()[..3].to_vec();
    packed.extend_from_slice(text);
    packed.push(3);
    packed
}

#[test]
fn compressed_siblings_are_read() {
    let text = format!("const k='{}'", key(1));
    let folder = folder(&[
        ("app.js.gz", &gzip(text.as_bytes())),
        ("app.js.br", &brotli(text.as_bytes())),
        ("app.js.zst", &zstd::encode_all(text.as_bytes(), 3).unwrap()),
    ]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert_eq!(
        names(&folder, &outcome),
        ["app.js.br", "app.js.gz", "app.js.zst"],
        "{:?}",
        outcome.notes
    );
    assert!(
        outcome
            .findings
            .iter()
            .all(|finding| finding.position.column == 10)
    );
}

#[test]
fn archives_are_read_and_archives_within_them() {
    let text = format!("k='{}'", key(2));
    let members: [(&str, &[u8]); 2] = [("a/b.js", text.as_bytes()), ("c.txt", b"nothing")];
    let inner = zipped(&members);
    let folder = folder(&[
        ("one.tar", &tarball(&members)),
        ("two.tgz", &gzip(&tarball(&members))),
        ("three.zip", &inner),
        ("four.tar.gz", &gzip(&tarball(&[("x.zip", &inner)]))),
    ]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert_eq!(
        names(&folder, &outcome),
        [
            "four.tar.gz!/x.zip!/a/b.js",
            "one.tar!/a/b.js",
            "three.zip!/a/b.js",
            "two.tgz!/a/b.js"
        ],
        "{:?}",
        outcome.notes
    );
    assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
}

#[test]
fn an_archive_behind_something_else_is_read() {
    let text = format!("k='{}'", key(12));
    let archive = zipped(&[("background.js", text.as_bytes())]);
    let extension = [&b"Cr24\x03\0\0\0 a signature "[..], &archive].concat();
    let program = [&b"#!/usr/bin/env python3\n"[..], &archive].concat();
    let folder = folder(&[("app.crx", &extension), ("tool.pyz", &program)]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert_eq!(
        names(&folder, &outcome),
        ["app.crx!/background.js", "tool.pyz!/background.js"],
        "{:?}",
        outcome.notes
    );
}

#[test]
fn what_is_packed_otherwise_is_told_as_not_looked_at() {
    let folder = folder(&[
        ("a.tar.xz", b"\xfd7zXZ\0rest"),
        ("b.bz2", b"BZh91AY&SYrest"),
        ("c.7z", b"7z\xbc\xaf\x27\x1crest"),
        ("d.rar", b"Rar!\x1a\x07\x01rest"),
        ("e.lz4", b"\x04\x22\x4d\x18rest"),
        ("BZh9.txt", b"BZh9 is how a text may begin"),
    ]);
    let outcome = scan(folder.path(), FileOptions::default());
    let told: Vec<_> = outcome.notes.iter().map(|note| &note.reason).collect();
    assert_eq!(told.len(), 5, "{:?}", outcome.notes);
}

#[test]
fn damaged_archives_are_told_and_keep_nothing_else_from_being_read() {
    let good = format!("k='{}'", key(3));
    let mut cut = gzip(&vec![b'x'; 100_000]);
    cut.truncate(40);
    let folder = folder(&[
        ("cut.gz", &cut),
        ("no.zip", b"PK\x03\x04 and then nothing of the kind"),
        ("no.br", b"\xff\xff\xff no brotli"),
        ("good.js", good.as_bytes()),
    ]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert_eq!(names(&folder, &outcome), ["good.js"]);
    assert_eq!(outcome.notes.len(), 3, "{:?}", outcome.notes);
}

#[test]
fn archives_too_deep_within_each_other_are_told() {
    let mut packed = key(4).into_bytes();
    for _ in 0..9 {
        packed = gzip(&packed);
    }
    let folder = folder(&[("deep.gz", &packed)]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert!(outcome.findings.is_empty());
    assert_eq!(outcome.notes.len(), 1, "{:?}", outcome.notes);
}

#[test]
fn ignored_files_are_left_out_unless_asked_for() {
    let text = key(5);
    let folder = folder(&[
        (".gitignore", b"secret.env\ndist/\n"),
        ("secret.env", text.as_bytes()),
        ("dist/app.js", text.as_bytes()),
        (".env.local", text.as_bytes()),
        (".git/config", text.as_bytes()),
    ]);
    let respected = scan(folder.path(), FileOptions::default());
    assert_eq!(names(&folder, &respected), [".env.local"]);
    let all = scan(
        folder.path(),
        FileOptions {
            respect_ignore_files: false,
        },
    );
    assert_eq!(
        names(&folder, &all),
        [".env.local", "dist/app.js", "secret.env"]
    );
    let asked = scan(&folder.path().join("dist"), FileOptions::default());
    assert_eq!(names(&folder, &asked), ["dist/app.js"]);
}

#[test]
fn a_bundle_is_told_with_the_place_it_was_written_at() {
    let key = key(6);
    let source = format!("// config\nexport const K = '{key}';\n");
    let map = serde_json::json!({
        "version": 3, "sources": ["../src/config.ts"], "sourcesContent": [source], "mappings": "AACA",
    });
    let bundle = format!("const K=\"{key}\";\n//# sourceMappingURL=app.js.map\n");
    // No content: the key came in when the bundle was built.
    let built = format!("const K=\"{key}\";\n//# sourceMappingURL=env.js.map\n");
    let plain = r#"{"version":3,"sources":["../src/env.ts"],"mappings":"AACA,QAES"}"#;
    let folder = folder(&[
        ("app.js", bundle.as_bytes()),
        ("app.js.map", map.to_string().as_bytes()),
        ("env.js", built.as_bytes()),
        ("env.js.map", plain.as_bytes()),
    ]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert_eq!(names(&folder, &outcome), ["app.js", "app.js.map", "env.js"]);
    let originals: Vec<_> = outcome.findings.iter().map(place).collect();
    assert_eq!(
        originals,
        [
            ("../src/config.ts", 2, 1),
            ("../src/config.ts", 2, 19),
            ("../src/env.ts", 4, 10)
        ]
    );
}

fn place(finding: &Finding) -> (&str, usize, usize) {
    let original = finding.original.as_ref().unwrap();
    (
        &original.path,
        original.position.line,
        original.position.column,
    )
}

#[test]
fn a_map_within_a_program_is_read() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let source = format!(
        "{}export const K = ['{}'].join('')",
        "\n".repeat(7),
        key(7).replace("proj", "proj','").replace("','-", "-','")
    );
    let map = serde_json::json!({"version": 3, "sources": ["k.ts"], "sourcesContent": [source], "mappings": ""});
    let program = format!(
        "x()\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,{}\n",
        BASE64_STANDARD.encode(map.to_string())
    );
    let folder = folder(&[("app.js", program.as_bytes())]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert!(
        outcome
            .findings
            .iter()
            .any(|finding| place(finding).0 == "k.ts" && place(finding).1 == 8),
        "{outcome:#?}"
    );
}

#[test]
fn a_text_longer_than_memory_allows_is_read_in_pieces() {
    let mut text = "a line of nothing\n"
        .repeat(66 * 1024 * 1024 / 18)
        .into_bytes();
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    text.extend_from_slice(format!("k='{}'", key(8)).as_bytes());
    let folder = folder(&[("long.txt", &text)]);
    let outcome = scan(folder.path(), FileOptions::default());
    let places: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| finding.position.line)
        .collect();
    assert_eq!(places, [lines + 1]);
}

#[test]
fn a_utf16_file_is_read_with_its_lines() {
    let text = format!("one\n\"{}\" +\n\"{}\"", &key(12)[..50], &key(12)[50..]);
    let units = text.encode_utf16();
    let little: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(units.clone().flat_map(u16::to_le_bytes))
        .collect();
    let big: Vec<u8> = [0xfe, 0xff]
        .into_iter()
        .chain(units.flat_map(u16::to_be_bytes))
        .collect();
    let folder = folder(&[("little.txt", &little), ("big.txt", &big)]);
    let outcome = scan(folder.path(), FileOptions::default());
    assert_eq!(names(&folder, &outcome), ["big.txt", "little.txt"]);
    assert!(
        outcome
            .findings
            .iter()
            .all(|finding| finding.position.line == 2)
    );
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn history_of(path: &Path) -> Outcome {
    let scanner = Scanner::new(Detector::new().unwrap());
    history(&scanner, path).unwrap();
    scanner.finish()
}

/// A key in a branch that was deleted and whose reflog expired, one in a commit
/// message, one that was packed and removed again.
#[test]
fn history_is_read_with_what_nothing_reaches_any_more() {
    let (removed, deleted, message) = (key(9), key(10), key(11));
    let folder = folder(&[("src/a.js", format!("k='{removed}'").as_bytes())]);
    let path = folder.path();
    git(path, &["init", "-q", "-b", "main"]);
    git(path, &["add", "."]);
    git(path, &["commit", "-qm", "first"]);
    let first = git(path, &["rev-parse", "HEAD"]);
    fs::write(path.join("src/a.js"), "k=''").unwrap();
    git(path, &["commit", "-qam", "key removed"]);
    git(path, &["gc", "-q"]);
    git(path, &["checkout", "-qb", "side"]);
    fs::write(path.join("b.env"), format!("K={deleted}")).unwrap();
    git(path, &["add", "."]);
    git(path, &["commit", "-qm", &format!("with {message}")]);
    let side = git(path, &["rev-parse", "HEAD"]);
    git(path, &["checkout", "-q", "main"]);
    git(path, &["branch", "-qD", "side"]);
    git(path, &["reflog", "expire", "--expire=now", "--all"]);

    let files = scan(path, FileOptions::default());
    assert!(files.findings.is_empty(), "nothing is left in the files");
    let outcome = history_of(path);
    let found: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| {
            (
                finding.path.as_str(),
                finding.git.as_ref().unwrap().commit.as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("(git commit)", side.as_str()),
            ("b.env", side.as_str()),
            ("src/a.js", first.as_str())
        ]
    );
    assert!(outcome.notes.is_empty(), "{:?}", outcome.notes);
}

#[test]
fn a_folder_without_a_repository_is_told() {
    let folder = folder(&[]);
    let scanner = Scanner::new(Detector::new().unwrap());
    let error = history(&scanner, folder.path()).unwrap_err();
    assert!(error.to_string().contains("git"), "{error}");
}

/// What is tracked here holds no key: fixtures lie in pieces.
#[test]
fn this_repository_passes_its_own_scan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let outcome = scan(&root, FileOptions::default());
    assert!(outcome.texts > 300, "{} texts", outcome.texts);
    let places: Vec<_> = outcome
        .findings
        .iter()
        .map(|finding| (&finding.path, finding.position, finding.rule))
        .collect();
    assert!(places.is_empty(), "{places:#?}");
}
