//! `hallpass scan`: its exit codes, its reports, and a page served here.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    command::{Run, hallpass},
    process::{binary, clean},
};

/// A fake key that no file holds: its text is put together here.
fn key(seed: u64) -> String {
    let mut state = seed;
    let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    let mut body = || -> String {
        (0..74)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                char::from(alphabet[(state >> 58) as usize])
            })
            .collect()
    };
    [
        &["s", "k-pr", "oj-"].concat(),
        &body(),
        &["T3Blb", "kFJ"].concat(),
        &body(),
    ]
    .map(String::as_str)
    .concat()
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn scan(arguments: &[&str]) -> Run {
    hallpass([&["scan"], arguments].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_clean_folder_ends_with_0_and_a_leak_with_1() {
    let clean = folder(&[("a.js", "const a = 1")]);
    let run = scan(&[text(clean.path())]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("no leak found in 1 texts"), "{}", run.out);

    let key = key(1);
    let leaking = folder(&[("a.js", &format!("const a = '{key}'"))]);
    let run = scan(&[text(leaking.path())]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert!(
        run.out.contains("OpenAI project key") && run.out.contains("a.js:1:12"),
        "{}",
        run.out
    );
    assert!(!run.out.contains(&key[..20]), "{}", run.out);
}

#[test]
fn bad_use_ends_with_2() {
    for arguments in [
        &[][..],
        &["/no/such/path"],
        &["--format", "xml", "."],
        &["--baseline", "/no/such/file", "."],
        &["--fingerprints", "/no/such/file", "."],
        &["http://127.0.0.1:9/"],
        &["https://127.0.0.1:9/"],
        &["https://[::ffff:169.254.169.254]/"],
    ] {
        let run = scan(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.out);
        assert!(run.err.contains("error"), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn json_and_sarif_tell_the_same_finds() {
    let leaking = folder(&[
        ("a.js", &key(2)),
        ("b.js", &format!("\n x{}\n{}", " ", key(3))),
    ]);
    let path = text(leaking.path());
    let json: Value = serde_json::from_str(&scan(&["--format", "json", path]).out).unwrap();
    let sarif: Value = serde_json::from_str(&scan(&["--format", "sarif", path]).out).unwrap();
    let told: Vec<_> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|find| &find["fingerprint"])
        .collect();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let logged: Vec<_> = results
        .iter()
        .map(|result| &result["partialFingerprints"]["secret/v1"])
        .collect();
    assert_eq!(told.len(), 2);
    assert_eq!(told, logged);
    assert_eq!(json["findings"][1]["line"], 3);
}

#[test]
fn a_baseline_leaves_only_what_is_new() {
    let leaking = folder(&[("a.js", &key(4))]);
    let (path, kept) = (text(leaking.path()), tempfile::tempdir().unwrap());
    let baseline = kept.path().join("known.json");
    assert_eq!(scan(&["--write-baseline", text(&baseline), path]).code, 0);
    assert_eq!(scan(&["--baseline", text(&baseline), path]).code, 0);
    fs::write(leaking.path().join("b.js"), key(5)).unwrap();
    let run = scan(&["--baseline", text(&baseline), path]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.contains("b.js") && !run.out.contains("a.js"),
        "{}",
        run.out
    );
}

#[test]
fn a_key_without_a_known_form_is_found_by_its_fingerprint() {
    let own = &key(6).replace(['-', '_'], "x")[20..104];
    let kept = tempfile::tempdir().unwrap();
    let file = kept.path().join("own.json");
    let mut command = binary();
    command.args([
        "scan",
        "fingerprint",
        "--name",
        "azure",
        "--file",
        text(&file),
    ]);
    Run::of(command, &format!("{own}\n")).done();
    assert!(!fs::read_to_string(&file).unwrap().contains(&own[..12]));

    let leaking = folder(&[("a.js", &format!("k='{own}'"))]);
    assert_eq!(scan(&[text(leaking.path())]).code, 0);
    let run = scan(&["--fingerprints", text(&file), text(leaking.path())]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.contains("key of this deployment") && run.out.contains("azure"),
        "{}",
        run.out
    );

    let mut command = binary();
    command.args(["scan", "fingerprint"]);
    assert_eq!(Run::of(command, "short").code, 2);
}

#[test]
fn history_finds_what_was_removed() {
    let repository = folder(&[("a.env", &key(7))]);
    let git = |arguments: &[&str]| {
        let mut command = clean(Command::new("git"));
        command.args([
            "-C",
            text(repository.path()),
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.com",
        ]);
        assert!(
            command.args(arguments).output().unwrap().status.success(),
            "{arguments:?}"
        );
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["rm", "-q", "a.env"]);
    git(&["commit", "-qm", "two"]);
    assert_eq!(scan(&[text(repository.path())]).code, 0);
    let run = scan(&["--history", text(repository.path())]);
    assert_eq!(run.code, 1);
    assert!(
        run.out.contains("a.env:1:1") && run.out.contains("commit"),
        "{}",
        run.out
    );
}

type Pages = BTreeMap<&'static str, (&'static str, String)>;

/// Serves pages on loopback and notes what was asked.
fn serve(pages: Pages) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(first)) = lines.next() else {
                continue;
            };
            let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
            for _ in lines
                .by_ref()
                .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
            {}
            let (head, body) = match pages.get(path.as_str()) {
                Some((head, body)) => (*head, body.as_str()),
                None => ("HTTP/1.1 404 Not Found", ""),
            };
            noted.lock().unwrap().push(path);
            let length = body.len();
            let _ = write!(
                stream,
                "{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    (address, asked)
}

const HTML: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8";
const SCRIPT: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/javascript";

#[test]
fn a_page_is_followed_to_its_scripts_maps_and_workers() {
    let (elsewhere, asked_elsewhere) = serve(Pages::new());
    let page = format!(
        "<script type=module src=/assets/app.js></script><link rel=modulepreload href=/assets/lazy.js>
         <script src=\"http://{elsewhere}/tracker.js\"></script><img src=/logo.png>"
    );
    let map = serde_json::json!({
        "version": 3, "sources": ["src/config.ts"], "mappings": "",
        "sourcesContent": [format!("\nexport const K = '{}'", key(8))],
    });
    let (address, asked) = serve(Pages::from([
        ("/", (HTML, page)),
        (
            "/assets/app.js",
            (
                SCRIPT,
                "import('./chunk.js');navigator.serviceWorker.register('/sw.js')".to_owned(),
            ),
        ),
        ("/assets/app.js.map", (SCRIPT, map.to_string())),
        ("/assets/lazy.js", (SCRIPT, "x()".to_owned())),
        (
            "/assets/chunk.js",
            (SCRIPT, format!("fetch({{k:`{}`}})", key(9))),
        ),
        (
            "/sw.js",
            (
                SCRIPT,
                format!(
                    "importScripts('/worker.js');const a=\"{}\"+\"{}\"",
                    &key(10)[..30],
                    &key(10)[30..]
                ),
            ),
        ),
        ("/worker.js", (SCRIPT, key(11))),
    ]));
    let run = scan(&[
        "--allow-private",
        "--format",
        "json",
        &format!("http://{address}/"),
    ]);
    assert_eq!(run.code, 1, "{}", run.err);
    let told: Value = serde_json::from_str(&run.out).unwrap();
    let findings = told["findings"].as_array().unwrap();
    let root = format!("http://{address}");
    let places: Vec<_> = findings
        .iter()
        .map(|find| find["path"].as_str().unwrap().replace(&root, ""))
        .collect();
    assert_eq!(
        places,
        [
            "/assets/app.js.map",
            "/assets/chunk.js",
            "/sw.js",
            "/worker.js"
        ],
        "{told:#}"
    );
    assert_eq!(findings[0]["original"]["path"], "src/config.ts");
    assert_eq!(findings[0]["original"]["line"], 2);
    assert!(asked.lock().unwrap().iter().all(|path| path != "/logo.png"));
    assert_eq!(
        asked_elsewhere.lock().unwrap().as_slice(),
        [""; 0],
        "another origin was asked"
    );
}

#[test]
fn a_page_that_leads_elsewhere_is_told_and_not_followed() {
    let (elsewhere, asked) = serve(Pages::new());
    let head: &'static str = format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/").leak();
    let (address, _) = serve(Pages::from([("/", (head, String::new()))]));
    let run = scan(&["--allow-private", &format!("http://{address}/")]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("another origin"), "{}", run.err);
    assert!(asked.lock().unwrap().is_empty());
}
