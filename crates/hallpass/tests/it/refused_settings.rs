//! What `config check` refuses, as an operator sees it: file, line, remedy.

use crate::support::{Run, Site, random_hex};

/// One unsafe or useless setting.
struct Row {
    name: &'static str,
    /// A part of the good file, and what stands there instead.
    change: (&'static str, &'static str),
    /// How the refused line begins.
    line: &'static str,
    what: &'static str,
    remedy: &'static str,
}

/// Ends the good file: a row adds there what the file does not have.
const END: &str = "# the end\n";
/// A secret strong enough, in the good file.
const STRONG: &str = concat!("kT9vQ2mZx7Lr4Wb8", "Ys1Nc6Hd3Jf5Gp0R");

const GOOD: &str = r#"[server]
allowed_origins = ["https://app.example.com"]
public_url = "https://voice.example.com"

[[auth.jwt]]
name = "app"
issuer = "https://issuer.example.test"
audience = "hallpass"
algorithms = ["RS256"]
jwks_url = "https://issuer.example.test/jwks.json"

[[auth.session_cookie]]
name = "web"
format = "next-auth-v4"
secrets = ["STRONG"]

[auth]
default_role = "person"

[profiles.interview]
session = { type = "realtime", model = "gpt-realtime-2.1" }

[roles.person]
profiles = ["interview"]
permissions = ["grants:create"]
# the end
"#;

const NO_JWKS: &str = "jwks_url = \"https://issuer.example.test/jwks.json\"";
const NEW_SECRET: &str = "openssl rand -base64 48";

const ROWS: &[Row] = &[
    Row {
        name: "a short secret",
        change: ("STRONG", "aZ3kQ9"),
        line: "secrets = ",
        what: "fewer than 32 characters",
        remedy: NEW_SECRET,
    },
    Row {
        name: "a well-known secret",
        change: ("STRONG", "please-change-me-to-something-long-and-random"),
        line: "secrets = ",
        what: "well-known placeholder",
        remedy: NEW_SECRET,
    },
    Row {
        name: "a secret that ends in whitespace",
        change: ("STRONG\"", "STRONG\\n\""),
        line: "secrets = ",
        what: "ends in whitespace",
        remedy: "printf %s",
    },
    Row {
        name: "a wildcard origin",
        change: ("https://app.example.com", "https://*.example.com"),
        line: "allowed_origins",
        what: "wildcard",
        remedy: "List each origin",
    },
    Row {
        name: "every origin",
        change: ("https://app.example.com", "*"),
        line: "allowed_origins",
        what: "wildcard",
        remedy: "List each origin",
    },
    Row {
        name: "the origin of sandboxed pages",
        change: ("https://app.example.com", "null"),
        line: "allowed_origins",
        what: "null",
        remedy: "Remove it",
    },
    Row {
        name: "keys over plain http",
        change: (
            NO_JWKS,
            "jwks_url = \"http://issuer.example.test/jwks.json\"",
        ),
        line: "jwks_url",
        what: "clear",
        remedy: "https://",
    },
    Row {
        name: "keys from a private address",
        change: (NO_JWKS, "jwks_url = \"https://169.254.169.254/keys\""),
        line: "jwks_url",
        what: "private",
        remedy: "allow_private_addresses",
    },
    Row {
        name: "no source of keys",
        change: (NO_JWKS, ""),
        line: "[[auth.jwt]]",
        what: "no key would verify a token",
        remedy: "jwks_url",
    },
    Row {
        name: "a secret where keys are public",
        change: ("[\"RS256\"]", "[\"RS256\", \"HS256\"]"),
        line: "algorithms",
        what: "must not share an issuer",
        remedy: "Split it",
    },
    Row {
        name: "no signature",
        change: ("[\"RS256\"]", "[\"none\"]"),
        line: "algorithms",
        what: "`none` is not known",
        remedy: "RS256",
    },
    Row {
        name: "a public address in the clear",
        change: ("https://voice.example.com", "http://voice.example.com"),
        line: "public_url",
        what: "clear",
        remedy: "https://",
    },
    Row {
        name: "everyone as a proxy",
        change: (
            "[server]\n",
            "[server]\ntrusted_proxies = [\"0.0.0.0/0\"]\n",
        ),
        line: "trusted_proxies",
        what: "everyone would be believed",
        remedy: "your own proxies",
    },
    Row {
        name: "a role nobody can have",
        change: (
            END,
            "[roles.ghost]\nprofiles = [\"interview\"]\npermissions = [\"grants:create\"]\n[auth.dummy]\n",
        ),
        line: "[roles.ghost]",
        what: "nobody can have this role",
        remedy: "Map a claim",
    },
    Row {
        name: "a profile nobody may use",
        change: (
            END,
            "[profiles.lonely]\nsession = { type = \"realtime\", model = \"gpt-realtime-2.1\" }\n",
        ),
        line: "[profiles.lonely]",
        what: "nobody may use this profile",
        remedy: "profiles",
    },
    Row {
        name: "a default role there is not",
        change: ("default_role = \"person\"", "default_role = \"persom\""),
        line: "default_role",
        what: "there is no role `persom`",
        remedy: "`person`",
    },
    Row {
        name: "a permission there is not",
        change: ("grants:create", "grants:craete"),
        line: "permissions",
        what: "there is no permission",
        remedy: "`grants:create`",
    },
    Row {
        name: "a member there is not",
        change: ("allowed_origins", "allowed_origin"),
        line: "allowed_origin",
        what: "unknown member",
        remedy: "`allowed_origins`",
    },
    Row {
        name: "a key in the clear",
        change: (
            END,
            "[[upstream]]\nbase_url = \"http://gateway.example.com/v1\"\n",
        ),
        line: "base_url",
        what: "clear",
        remedy: "https://",
    },
    Row {
        name: "a key of a wrong type, though the environment has one",
        change: (END, "[[upstream]]\napi_key = 12345\n"),
        line: "api_key",
        what: "expected text",
        remedy: "quotes",
    },
];

fn check(text: &str) -> (Run, String) {
    let site = Site::new("http://127.0.0.1:9", &format!("sk-{}", random_hex(16)), "");
    let text = text.replace("STRONG", STRONG);
    std::fs::write(site.path("hallpass.toml"), &text).unwrap();
    (site.run(&["config", "check"]), text)
}

/// The row's file; a role is out of reach only where no API keys are in use.
fn file_of(row: &Row) -> String {
    let (good, bad) = row.change;
    assert!(GOOD.contains(good), "{}", row.name);
    let text = GOOD.replacen(good, bad, 1);
    match text.strip_suffix("[auth.dummy]\n") {
        Some(text) => text.replace("[auth]\n", "[auth]\napi_keys = false\n"),
        None => text,
    }
}

#[test]
fn the_file_that_the_rows_change_is_good() {
    let (run, _) = check(GOOD);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
}

#[test]
fn each_refusal_names_file_line_and_remedy() {
    for row in ROWS {
        let (run, text) = check(&file_of(row));
        let told = format!("{}: {}{}", row.name, run.out, run.err);
        assert_eq!(run.code, 2, "{told}");
        let at = text.lines().position(|line| line.starts_with(row.line));
        let place = format!("hallpass.toml:{}:", at.expect(row.name) + 1);
        let line = run.err.lines().find(|line| line.contains(&place));
        let line = line.unwrap_or_else(|| panic!("{place} is not named: {told}"));
        assert!(line.contains(row.what), "{}: {told}", row.what);
        assert!(line.contains(row.remedy), "{}: {told}", row.remedy);
        assert!(!told.contains(STRONG), "a secret is repeated: {told}");
    }
}
