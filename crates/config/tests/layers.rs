//! File, environment and flags: who wins, and what is no setting at all.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use hallpass_config::section::Mode;
use hallpass_config::{Loaded, Origin, Problems, Sources, load, load_auth_only};
use insta::assert_snapshot;
use secrecy::ExposeSecret;

struct Setup {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    flags: Vec<(String, String)>,
}

impl Setup {
    fn new(toml: &str) -> Self {
        let setup = Self {
            folder: tempfile::tempdir().unwrap(),
            environment: BTreeMap::new(),
            flags: Vec::new(),
        };
        setup.write("hallpass.toml", toml);
        setup
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn variable(mut self, name: &str, text: &str) -> Self {
        self.environment.insert(name.to_owned(), text.to_owned());
        self
    }

    fn flag(mut self, path: &str, text: &str) -> Self {
        self.flags.push((path.to_owned(), text.to_owned()));
        self
    }

    fn load(&self) -> Result<Loaded, Problems> {
        self.with(load)
    }

    fn with<T>(&self, act: impl FnOnce(Sources<'_>) -> T) -> T {
        act(Sources {
            file: Some(&self.folder.path().join("hallpass.toml")),
            environment: &self.environment,
            flags: &self.flags,
        })
    }

    fn accepted(&self) -> Loaded {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn refused(&self) -> String {
        let told = self.load().map(|_| ()).unwrap_err().to_string();
        told.replace(&self.folder.path().display().to_string(), "DIR")
    }
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let loaded = Setup::new(
        "[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\ndrain_seconds = 3\n",
    )
    .variable("HALLPASS_SERVER_LISTEN", "127.0.0.1:11")
    .variable("HALLPASS_SERVER_ADMIN_LISTEN", "127.0.0.1:12")
    .flag("server.listen", "127.0.0.1:21")
    .accepted();
    assert_eq!(loaded.config.server.listen.port(), 21);
    assert_eq!(loaded.config.server.admin_listen.port(), 12);
    assert_eq!(loaded.config.server.drain_seconds, 3);
    assert_eq!(
        loaded.origins.exact("server.listen"),
        &Origin::Flag("server.listen".to_owned())
    );
    assert_eq!(
        loaded.origins.exact("server.idle_seconds"),
        &Origin::Default
    );
}

#[test]
fn variables_have_the_type_of_their_member() {
    let loaded = Setup::new("")
        .variable("HALLPASS_STORE_DURABLE", "postgres://h@db/hallpass")
        .variable(
            "HALLPASS_SERVER_ALLOWED_ORIGINS",
            "https://a.example, https://b.example",
        )
        .variable("HALLPASS_SERVER_TRUSTED_PROXIES", "")
        .variable("HALLPASS_AUTH_API_KEYS", "true")
        .variable("HALLPASS_AUTH_JWT_ISSUER", "https://i.example")
        .variable("HALLPASS_AUTH_JWT_AUDIENCE", "a,b")
        .variable("HALLPASS_AUTH_JWT_ALGORITHMS", "ES256")
        .variable("HALLPASS_AUTH_JWT_DISCOVERY", "1")
        .variable("HALLPASS_AUTH_JWT_CLAIMS_ROLES", "groups")
        .variable("HALLPASS_ROLES_CANDIDATE_BUDGET_USD_PER_DAY", "2.5")
        .variable(
            "HALLPASS_PROFILES_PHONE_CALL_SESSION",
            r#"{"type":"realtime","model":"m","tracing":null}"#,
        )
        .variable("HALLPASS_PROFILES_PHONE_CALL_MODE", "call")
        .accepted();
    let config = loaded.config;
    assert!(!config.store.durable.is_embedded());
    assert_eq!(
        config.server.allowed_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.auth.jwt[0].audience.as_slice(), ["a", "b"]);
    assert_eq!(config.auth.jwt[0].claims.roles.as_deref(), Some("groups"));
    assert_eq!(config.roles["candidate"].budget.usd_per_day, Some(2.5));
    assert_eq!(config.profiles["phone_call"].modes, [Mode::Call]);
    assert!(config.profiles["phone_call"].session.expose()["tracing"].is_null());
    assert!(config.profiles.contains_key("interview"));
}

#[test]
fn a_variable_finds_the_name_the_operator_gave() {
    let setup = Setup::new(
        "[profiles.phone-call]\nsession = { type = \"realtime\", model = \"m\" }\n[roles.r]\nprofiles = [\"*\"]\n",
    );
    let loaded = setup
        .variable("HALLPASS_PROFILES_PHONE_CALL_MAX_SESSION_SECONDS", "60")
        .accepted();
    assert_eq!(loaded.config.profiles["phone-call"].max_session_seconds, 60);
}

#[test]
fn variables_that_mean_nothing_are_refused() {
    let told = Setup::new("")
        .variable("HALLPASS_SERVER_LISTN", "127.0.0.1:1")
        .variable("HALLPASS_XYZZY", "1")
        .variable("HALLPASS_SERVER", "1")
        .variable("HALLPASS_SERVER_DRAIN_SECONDS", "soon")
        .variable("HALLPASS_AUTH_API_KEYS", "yes")
        .variable("HALLPASS_SERVER_IDLE_SECONDS", "0")
        .flag("server.port", "1")
        .refused();
    assert_snapshot!(told, @r"
    environment HALLPASS_AUTH_API_KEYS: neither true nor false. Write `true` or `false`.
    environment HALLPASS_SERVER: server: expected a table, found a whole number. Write it as a table: `{ name = … }`.
    environment HALLPASS_SERVER_DRAIN_SECONDS: not a whole number. Write digits, such as `30`.
    environment HALLPASS_SERVER_LISTN: unknown variable. Did you mean `HALLPASS_SERVER_LISTEN`?
    environment HALLPASS_XYZZY: unknown variable. Remove it; `hallpass config schema` lists the settings.
    flag server.port: no such setting. `hallpass config schema` lists them.
    ");
}

#[test]
fn variables_of_the_command_line_and_of_kubernetes_are_let_be() {
    Setup::new("")
        .variable("HALLPASS_URL", "http://127.0.0.1:8788")
        .variable("HALLPASS_ADMIN_KEY", "x")
        .variable("HALLPASS_CONFIG", "x")
        .variable("HALLPASS_LOG", "debug")
        .variable("HALLPASS_PORT", "tcp://10.0.0.1:8787")
        .variable("HALLPASS_PORT_8787_TCP", "tcp://10.0.0.1:8787")
        .variable("HALLPASS_PORT_8787_TCP_ADDR", "10.0.0.1")
        .variable("HALLPASS_SERVICE_HOST", "10.0.0.1")
        .variable("HALLPASS_SERVICE_PORT_HTTP", "8787")
        .variable("PATH", "/bin")
        .accepted();
}

#[test]
fn the_openai_key_reaches_the_first_upstream() {
    let setup = Setup::new(
        "[[upstream]]\nname = \"eu\"\nbase_url = \"https://eu.api.openai.com/v1\"\napi_key_file = \"absent\"\n[[upstream]]\n",
    );
    let loaded = setup
        .variable("OPENAI_API_KEY", "sk-from-variable")
        .accepted();
    assert_eq!(loaded.config.upstream[0].name, "eu");
    assert_eq!(
        loaded.config.upstream[0]
            .api_key
            .as_ref()
            .unwrap()
            .expose_secret(),
        "sk-from-variable"
    );
    assert!(loaded.config.upstream[1].api_key.is_none());
}

#[test]
fn an_empty_openai_key_is_none() {
    let loaded = Setup::new("").variable("OPENAI_API_KEY", "").accepted();
    assert!(loaded.config.upstream[0].api_key.is_none());
}

#[test]
fn a_value_and_its_file_are_one_too_many() {
    let setup = Setup::new("[[upstream]]\napi_key = \"sk-in-file\"\napi_key_file = \"key\"\n");
    setup.write("key", "sk-key\n");
    assert_snapshot!(setup.refused(), @r"
    DIR/hallpass.toml:2:1: upstream[0].api_key: `api_key` and `api_key_file` are both set. Keep one of the two.
    ");
    let setup = Setup::new("")
        .variable("OPENAI_API_KEY", "sk-a")
        .variable("OPENAI_API_KEY_FILE", "key");
    setup.write("key", "sk-key\n");
    assert_snapshot!(setup.refused(), @r"
    environment OPENAI_API_KEY_FILE: sets a value that another variable or flag sets by file. Keep one of the two.
    ");
    let setup = Setup::new("")
        .variable("OPENAI_API_KEY", "sk-a")
        .variable("HALLPASS_UPSTREAM_API_KEY", "sk-b");
    assert_snapshot!(setup.refused(), @r"
    environment HALLPASS_UPSTREAM_API_KEY: sets the same value as environment OPENAI_API_KEY. Keep one of the two.
    ");
}

#[test]
fn a_key_file_may_end_in_a_newline() {
    let setup = Setup::new("[[upstream]]\napi_key_file = \"key\"\n");
    setup.write("key", "sk-from-file\n");
    let upstream = &setup.accepted().config.upstream[0];
    assert_eq!(
        upstream.api_key.as_ref().unwrap().expose_secret(),
        "sk-from-file"
    );
    assert_eq!(
        upstream.api_key_file.as_deref(),
        Some(&*setup.folder.path().join("key"))
    );
}

/// In two pieces, so that no scanner takes it for a leak.
const STRONG: &str = concat!("kT9vQ2mZx7Lr4Wb8", "Ys1Nc6Hd3Jf5Gp0R");

fn session_file(secrets: &str) -> Setup {
    let setup =
        Setup::new("[[auth.session_cookie]]\nformat = \"authjs-v5\"\nsecrets_file = \"secrets\"\n");
    setup.write("secrets", secrets);
    setup
}

#[test]
fn a_session_secret_file_holds_one_a_line() {
    let setup = session_file(&format!("{STRONG}\n{STRONG}2"));
    let secrets = &setup.accepted().config.auth.session_cookie[0].secrets;
    let secrets: Vec<&str> = secrets.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(secrets, [STRONG, &format!("{STRONG}2")]);
}

#[test]
fn a_session_secret_file_must_not_end_in_a_newline() {
    assert_snapshot!(session_file(&format!("{STRONG}\n")).refused(), @r"
    DIR/hallpass.toml:3:1: auth.session_cookie[0].secrets_file: the secret ends in whitespace. Remove it; `printf %s` writes a file without a newline.
    ");
    let crlf = session_file(&format!("{STRONG}\r\n{STRONG}"));
    assert!(crlf.refused().contains("ends in whitespace"));
}

#[test]
fn judging_credentials_keeps_a_weak_secret_as_it_is() {
    let setup = session_file(&format!("{STRONG}\n"));
    let loaded = setup.with(load_auth_only).unwrap();
    let secret = loaded.config.auth.session_cookie[0].secrets[0].expose_secret();
    assert_eq!(secret, format!("{STRONG}\n"));
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn judging_credentials_needs_only_the_auth_part() {
    let setup = Setup::new(
        "[nonsense]\nx = 1\n[[upstream]]\napi_key_file = \"absent\"\n[roles.r]\nprofiles = [\"absent\"]\n\
         [auth]\ndefault_role = \"elsewhere\"\n[[auth.jwt]]\nissuer = \"i\"\naudience = \"a\"\nalgorithms = [\"HS256\"]\nsecret = \"short\"\n",
    );
    let setup = setup.variable("HALLPASS_NONSENSE", "1");
    assert!(setup.load().is_err());
    let loaded = setup.with(load_auth_only).unwrap();
    assert_eq!(loaded.config.auth.jwt[0].issuer, "i");
}

#[test]
fn files_that_are_not_there_are_named() {
    let told = Setup::new(
        "[server]\ntls = { cert_file = \"c.pem\", key_file = \"k.pem\" }\n[[upstream]]\nca_file = \"ca.pem\"\napi_key_file = \"key\"\n\
         [[auth.jwt]]\nissuer = \"i\"\naudience = \"a\"\nalgorithms = [\"RS256\"]\njwks_file = \"j.json\"\n",
    )
    .refused();
    assert_snapshot!(told, @r"
    DIR/hallpass.toml:2:9: server.tls.cert_file: cannot read the file: No such file or directory (os error 2). Check the path, which counts from the configuration file's folder, and its permissions.
    DIR/hallpass.toml:2:30: server.tls.key_file: cannot read the file: No such file or directory (os error 2). Check the path, which counts from the configuration file's folder, and its permissions.
    DIR/hallpass.toml:4:1: upstream[0].ca_file: cannot read the file: No such file or directory (os error 2). Check the path, which counts from the configuration file's folder, and its permissions.
    DIR/hallpass.toml:5:1: upstream[0].api_key_file: cannot read the file: No such file or directory (os error 2). Check the path, which counts from the configuration file's folder, and its permissions.
    DIR/hallpass.toml:10:1: auth.jwt[0].jwks_file: cannot read the file: No such file or directory (os error 2). Check the path, which counts from the configuration file's folder, and its permissions.
    ");
    let nowhere = load(Sources {
        file: Some(Path::new("nowhere/hallpass.toml")),
        environment: &BTreeMap::new(),
        flags: &[],
    });
    assert_snapshot!(nowhere.map(|_| ()).unwrap_err().to_string(), @r"
    nowhere/hallpass.toml:1:1: cannot read the file: No such file or directory (os error 2). Check the path and that this user may read it.
    ");
}

#[test]
fn folders_count_from_the_file() {
    let setup = Setup::new("[server]\ndata_dir = \"state\"\n[audit]\ndir = \"trail\"\n");
    let loaded = setup.accepted();
    assert_eq!(
        loaded.config.audit.dir,
        setup.folder.path().join("state/trail")
    );
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    let setup = Setup::new("");
    std::fs::write(setup.folder.path().join("hallpass.toml"), [0xff, 0xfe]).unwrap();
    assert!(
        setup
            .refused()
            .starts_with("DIR/hallpass.toml:1:1: cannot read the file")
    );
}

#[test]
fn a_secret_file_has_a_bound() {
    let setup = session_file(&"x".repeat(70_000));
    assert!(setup.refused().contains("larger than 64 KiB"));
}

#[test]
fn every_fixed_setting_can_be_suggested() {
    for (wrong, right) in [
        ("HALLPASS_STORE_DURABEL", "HALLPASS_STORE_DURABLE"),
        ("HALLPASS_AUTH_JWT_ISSUERS", "HALLPASS_AUTH_JWT_ISSUER"),
        (
            "HALLPASS_SERVER_TLS_CERTFILE",
            "HALLPASS_SERVER_TLS_CERT_FILE",
        ),
        ("HALLPASS_UPSTREAM_APIKEY", "HALLPASS_UPSTREAM_API_KEY"),
    ] {
        let told = Setup::new("").variable(wrong, "x").refused();
        assert!(told.contains(&format!("Did you mean `{right}`?")), "{told}");
    }
}

#[test]
fn a_value_of_a_wrong_type_is_refused_even_where_a_variable_sets_it() {
    let setup = Setup::new("[[upstream]]\napi_key = 12345\n[log]\nlevel = true\n")
        .variable(
            "OPENAI_API_KEY",
            concat!("sk-kT9vQ2mZx7Lr4Wb8", "Ys1Nc6Hd3Jf5Gp0R"),
        )
        .variable("HALLPASS_LOG_LEVEL", "info");
    assert_snapshot!(setup.refused(), @r#"
    DIR/hallpass.toml:2:11: upstream[0].api_key: expected text, found a whole number. Write it in quotes: `"…"`.
    DIR/hallpass.toml:4:9: log.level: expected text, found true or false. Write it in quotes: `"…"`.
    "#);
}

#[test]
fn a_value_that_is_only_unfit_may_be_set_right_by_a_variable() {
    let setup = Setup::new("[log]\nlevel = \"\"\n[server]\nmax_connections = 0\n")
        .variable("HALLPASS_LOG_LEVEL", "info")
        .variable("HALLPASS_SERVER_MAX_CONNECTIONS", "7");
    assert_eq!(setup.accepted().config.server.max_connections, 7);
}
