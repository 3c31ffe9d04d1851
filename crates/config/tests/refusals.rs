//! Bad files, and the very words an operator reads about them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use hallpass_config::{Loaded, from_toml_str};
use insta::assert_snapshot;

/// Stands for `STRONG` in the files; in two pieces, so that no scanner takes it for a leak.
const STRONG: &str = concat!("kT9vQ2mZx7Lr4Wb8", "Ys1Nc6Hd3Jf5Gp0R");

fn refused(text: &str) -> String {
    from_toml_str(&text.replace("STRONG", STRONG), Path::new(""))
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

fn accepted(text: &str) -> Loaded {
    from_toml_str(&text.replace("STRONG", STRONG), Path::new(""))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// A login that is right, for files in which something else is wrong.
const LOGIN: &str = r#"
[[auth.jwt]]
issuer = "https://issuer.example.test"
audience = "hallpass"
algorithms = ["RS256"]
jwks_url = "https://issuer.example.test/jwks.json"
"#;

fn jwt(members: &str) -> String {
    let start = "[[auth.jwt]]\nissuer = \"https://issuer.example.test\"\naudience = \"hallpass\"\n";
    refused(&format!("{start}{members}"))
}

fn profile(members: &str) -> String {
    refused(&format!(
        "[roles.all]\nprofiles = [\"*\"]\n[profiles.p]\n{members}"
    ))
}

#[test]
fn an_empty_file_is_the_defaults() {
    let config = accepted("").config;
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(
        config.profiles["interview"].session.text("model"),
        Some("gpt-realtime-2.1")
    );
    assert_eq!(
        config.roles.keys().collect::<Vec<_>>(),
        ["candidate", "service"]
    );
    assert_eq!(config.roles["candidate"].limits.per_minute, Some(5));
    assert_eq!(
        config.upstream[0].base_url.as_str(),
        "https://api.openai.com/v1"
    );
}

#[test]
fn broken_lines_are_all_named() {
    assert_snapshot!(refused("[server\nlisten = \n[store]\ndurable = \"sqlite"), @r#"
    hallpass.toml:1:8: not valid TOML: unclosed table, expected `]`. Correct this line.
    hallpass.toml:4:18: not valid TOML: invalid basic string, expected `"`. Correct this line.
    "#);
}

#[test]
fn unknown_members_get_a_suggestion() {
    let text =
        "[servr]\n[server]\nlistn = 1\nxyzzy = 1\n[roles.a.limits]\nper_minut = 1\n[auth.jtw]\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:1:2: unknown member `servr`. Did you mean `server`?
    hallpass.toml:3:1: server: unknown member `listn`. Did you mean `listen`?
    hallpass.toml:4:1: server: unknown member `xyzzy`. Known here: admin_listen, allowed_origins, body_seconds, data_dir, drain_delay_seconds, drain_seconds, first_byte_seconds, head_seconds, idle_seconds, install_key_file, listen, max_connections, public_url, replica, tls, trusted_proxies.
    hallpass.toml:6:1: roles.a.limits: unknown member `per_minut`. Did you mean `per_minute`?
    hallpass.toml:7:7: auth: unknown member `jtw`. Did you mean `jwt`?
    ");
}

#[test]
fn members_that_went_elsewhere_say_where() {
    let text =
        "[mint]\nalarm_failure_percent = 25\nalarm_min_mints = 10\nalarm_window_seconds = 60\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:2:1: mint: unknown member `alarm_failure_percent`. The rule `mint_failures` watches this now: set its `threshold` in [[alerts.rule]].
    hallpass.toml:3:1: mint: unknown member `alarm_min_mints`. The rule `mint_failures` watches this now: set its `min_mints` in [[alerts.rule]].
    hallpass.toml:4:1: mint: unknown member `alarm_window_seconds`. The rule `mint_failures` watches this now: set its `window_seconds` in [[alerts.rule]].
    ");
}

#[test]
fn wrong_types_are_named_with_their_lines() {
    let text = "[server]\nlisten = 8787\nallowed_origins = \"https://a.example\"\nmax_connections = \"9\"\n\
                [auth]\napi_keys = \"yes\"\n[roles.a]\nbudget = { usd_per_day = \"5\" }\n[upstream]\nname = \"a\"\n\
                [[auth.jwt]]\nissuer = \"i\"\nalgorithms = [\"HS256\"]\naudience = 5\nsecret = 12345\n";
    assert_snapshot!(refused(text), @r#"
    hallpass.toml:2:10: server.listen: expected text, found a whole number. Write it in quotes: `"…"`.
    hallpass.toml:3:19: server.allowed_origins: expected a list, found text. Write it as a list: `[ … ]`.
    hallpass.toml:4:19: server.max_connections: expected a whole number, found text. Write digits without quotes, such as `30`.
    hallpass.toml:6:12: auth.api_keys: expected true or false, found text. Write `true` or `false`, without quotes.
    hallpass.toml:8:26: roles.a.budget.usd_per_day: expected a number, found text. Write a number without quotes, such as `2.5`.
    hallpass.toml:9:1: upstream: expected a list, found a table. Write `[[upstream]]`, with double brackets.
    hallpass.toml:14:12: auth.jwt[0].audience: expected text or a list of texts, found a whole number. Write `"…"` or `["…", "…"]`.
    hallpass.toml:15:10: auth.jwt[0].secret: expected text, found a whole number. Write it in quotes: `"…"`.
    "#);
}

#[test]
fn numbers_stay_in_their_ranges() {
    let text = "[server]\nmax_connections = 0\n[audit]\nretention_days = 0\n\
                [roles.a]\nmax_expires_after_seconds = 7201\nlimits = { per_minute = 5000000000 }\n\
                [roles.b]\nbudget = { usd_per_day = -1 }\n[[upstream]]\ntimeout_ms = 99999999999999999999\n\
                [limits]\nper_address_per_minute = -1\n[log]\nlevel = 2024-01-01\n[roles.c]\nbudget = { usd_per_day = nan }\n[roles.d]\nbudget = { usd_per_day = 1e30 }\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:2:19: server.max_connections: 0 is out of range. Choose 1 or more.
    hallpass.toml:4:18: audit.retention_days: 0 is out of range. Choose 1 to 36500.
    hallpass.toml:6:29: roles.a.max_expires_after_seconds: 7201 is out of range. Choose 10 to 7200.
    hallpass.toml:7:25: roles.a.limits.per_minute: 5000000000 is out of range. Choose 1 to 4294967295.
    hallpass.toml:9:26: roles.b.budget.usd_per_day: -1 is out of range. Choose 0 to 1000000000.
    hallpass.toml:11:14: upstream[0].timeout_ms: the number is too large. Write a smaller one.
    hallpass.toml:13:26: limits.per_address_per_minute: -1 is out of range. Choose 1 to 4294967295.
    hallpass.toml:15:9: log.level: a date, which no setting takes. Put it in quotes.
    hallpass.toml:17:26: roles.c.budget.usd_per_day: not a finite number. Write a number such as `2.5`.
    hallpass.toml:19:26: roles.d.budget.usd_per_day: 1000000000000000000000000000000 is out of range. Choose 0 to 1000000000.
    ");
}

#[test]
fn a_folder_has_a_name() {
    let text = "[server]\ndata_dir = \"\"\n[audit]\ndir = \"\"\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:2:12: server.data_dir: the text is empty. Give it a value.
    hallpass.toml:4:7: audit.dir: the text is empty. Give it a value.
    ");
}

#[test]
fn addresses_and_origins_are_exact() {
    let text = "[server]\nlisten = \"localhost:80\"\npublic_url = \"https://u:p@voice.example\"\n\
                allowed_origins = [\"https://*.example.com\", \"https://a.example/\", \"https://a.example/x\",\n\
                \"null\", \"https://A.example\", \"https://a.example:443\", \"a.example\", \"file:///x\"]\n\
                trusted_proxies = [\"10.0.0.0/8\", \"proxy\"]\n[store]\ndurable = \"mysql://u:geheim@h/d\"\nshared = \"redis\"\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:2:10: server.listen: not an address with a port. Write an IP address and a port, such as `127.0.0.1:8787` or `[::1]:8787`.
    hallpass.toml:3:14: server.public_url: the address holds a user name or password. Remove the part before `@`.
    hallpass.toml:4:20: server.allowed_origins[0]: a wildcard admits pages you do not know. List each origin, such as `https://app.example.com`.
    hallpass.toml:4:45: server.allowed_origins[1]: an origin has no trailing slash. Write `https://a.example`.
    hallpass.toml:4:67: server.allowed_origins[2]: not written as browsers send it. Write `https://a.example`.
    hallpass.toml:5:1: server.allowed_origins[3]: `null` is the origin of every sandboxed page. Remove it.
    hallpass.toml:5:9: server.allowed_origins[4]: not written as browsers send it. Write `https://a.example`.
    hallpass.toml:5:30: server.allowed_origins[5]: not written as browsers send it. Write `https://a.example`.
    hallpass.toml:5:55: server.allowed_origins[6]: not an origin. Write scheme, host and port only, such as `https://app.example.com`.
    hallpass.toml:5:68: server.allowed_origins[7]: not an http or https origin. Write scheme, host and port only, such as `https://app.example.com`.
    hallpass.toml:6:34: server.trusted_proxies[1]: not an address or network. Write an IP address, or a network such as `10.0.0.0/8`.
    hallpass.toml:8:11: store.durable: not a store. Write `sqlite`, or an address such as `postgres://user@host/database`.
    hallpass.toml:9:10: store.shared: not a store. Write `memory`, or an address such as `redis://user@host/0`.
    ");
}

#[test]
fn servers_do_not_send_secrets_in_the_clear() {
    let text = "[server]\nadmin_listen = \"127.0.0.1:8787\"\npublic_url = \"http://voice.example.com\"\n\
                trusted_proxies = [\"0.0.0.0/0\"]\n\
                [[upstream]]\nbase_url = \"http://gateway.example.com/v1\"\n\
                [[upstream]]\nbase_url = \"https://gateway.example.com/v1/\"\napi_key = \"sk-...\"\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:2:1: server.admin_listen: the admin listener has the address of the public one. Give it another port.
    hallpass.toml:3:1: server.public_url: secrets would travel in the clear. Write `https://`; plain http is for loopback only.
    hallpass.toml:4:20: server.trusted_proxies[0]: everyone would be believed about their address. Name the network of your own proxies.
    hallpass.toml:6:1: upstream[0].base_url: the key would travel in the clear. Write `https://`; plain http is for loopback only.
    hallpass.toml:7:1: upstream[1].name: two upstreams are named `openai`. Give each a name of its own.
    hallpass.toml:8:1: upstream[1].base_url: the address ends in a slash. Remove the last `/`.
    hallpass.toml:9:1: upstream[1].api_key: the key is a placeholder. Set `api_key_file`, or `OPENAI_API_KEY` in the environment.
    ");
}

#[test]
fn plain_http_is_for_loopback() {
    accepted(
        "[server]\npublic_url = \"http://localhost:8787\"\n[[upstream]]\nbase_url = \"http://127.0.0.1:8789/v1\"\n",
    );
}

#[test]
fn a_jwt_issuer_needs_exactly_one_source_of_keys() {
    assert_snapshot!(jwt("algorithms = [\"RS256\"]\n"), @r"
    hallpass.toml:1:1: auth.jwt[0]: no key would verify a token. Set exactly one of `jwks_file`, `jwks_url`, `discovery = true`, `jwks`, `public_key`, `public_key_file`, `secret`, `secret_file`.
    ");
    assert_snapshot!(jwt(
        "algorithms = [\"RS256\"]\ndiscovery = true\njwks_url = \"https://i.example/j\"\n"
    ), @r"
    hallpass.toml:1:1: auth.jwt[0]: keys come from several places (jwks_url, discovery). Set exactly one of `jwks_file`, `jwks_url`, `discovery = true`, `jwks`, `public_key`, `public_key_file`, `secret`, `secret_file`.
    ");
}

#[test]
fn a_token_cannot_choose_between_shared_and_public_keys() {
    let url = "jwks_url = \"https://i.example/j\"\n";
    assert_snapshot!(jwt(&format!("algorithms = []\n{url}")), @r"
    hallpass.toml:4:14: auth.jwt[0].algorithms: the list is empty. Name at least one.
    ");
    assert_snapshot!(jwt(&format!("algorithms = [\"none\"]\n{url}")), @r"
    hallpass.toml:4:15: auth.jwt[0].algorithms[0]: `none` is not known. Known here: HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, Ed25519.
    ");
    assert_snapshot!(jwt(&format!("algorithms = [\"RS256\", \"HS256\"]\n{url}")), @r"
    hallpass.toml:4:1: auth.jwt[0].algorithms: HS256 and RS256 must not share an issuer. Split it into two `[[auth.jwt]]`.
    ");
    assert_snapshot!(jwt(&format!("algorithms = [\"HS256\"]\n{url}")), @r"
    hallpass.toml:4:1: auth.jwt[0].algorithms: HS256 takes a shared secret, never public keys. Set `secret_file`, or choose RS256, ES256 or EdDSA.
    ");
    assert_snapshot!(jwt("algorithms = [\"ES256\"]\nsecret = \"STRONG\"\n"), @r"
    hallpass.toml:4:1: auth.jwt[0].algorithms: ES256 takes public keys, never a shared secret. Set `jwks_url` or `jwks_file`, or choose HS256.
    ");
}

#[test]
fn keys_are_fetched_from_public_https_addresses() {
    for url in [
        "http://i.example/j",
        "https://169.254.169.254/j",
        "https://localhost/j",
        "https://[::1]/j",
    ] {
        let told = jwt(&format!("algorithms = [\"RS256\"]\njwks_url = \"{url}\"\n"));
        assert!(
            told.contains("hallpass.toml:5:1: auth.jwt[0].jwks_url"),
            "{told}"
        );
    }
    let plain = jwt(
        "allow_private_addresses = true\nalgorithms = [\"RS256\"]\njwks_url = \"http://10.0.0.1/j\"\n",
    );
    assert!(plain.contains("in the clear"), "{plain}");
}

#[test]
fn a_key_server_on_loopback_is_allowed_when_the_operator_says_so() {
    let loaded = accepted(&LOGIN.replace(
        "jwks_url = \"https://issuer.example.test/jwks.json\"",
        "jwks_url = \"http://127.0.0.1:9/jwks.json\"\nallow_private_addresses = true",
    ));
    assert!(loaded.config.has_configured_auth());
}

#[test]
fn issuer_audience_and_algorithms_are_required() {
    assert_snapshot!(refused("[[auth.jwt]]\ndiscovery = true\n"), @r"
    hallpass.toml:1:1: auth.jwt[0]: `algorithms` is missing. Add `algorithms = …`.
    hallpass.toml:1:1: auth.jwt[0]: `audience` is missing. Add `audience = …`.
    hallpass.toml:1:1: auth.jwt[0]: `issuer` is missing. Add `issuer = …`.
    ");
    assert_snapshot!(refused(
        "[[auth.jwt]]\nissuer = \"app\"\naudience = []\nalgorithms = [\"RS256\"]\ndiscovery = true\n"
    ), @r"
    hallpass.toml:2:1: auth.jwt[0].issuer: discovery needs the issuer to be an address. Write `https://…` exactly as in `iss`, or set `jwks_url`.
    hallpass.toml:3:1: auth.jwt[0].audience: an audience is empty. Name the audience your issuer puts into tokens for Hallpass.
    ");
}

#[test]
fn a_key_set_in_the_file_is_public() {
    assert_snapshot!(jwt(
        "algorithms = [\"RS256\"]\njwks = { keys = [{ kty = \"oct\", k = \"c2VjcmV0\" }] }\n"
    ), @r"
    hallpass.toml:5:1: auth.jwt[0].jwks: the key set holds a private or shared key. Keep public members only; use `secret_file` for HS256.
    ");
    assert_snapshot!(jwt("algorithms = [\"RS256\"]\njwks = { kty = \"RSA\" }\n"), @r"
    hallpass.toml:5:1: auth.jwt[0].jwks: no key set: it has no list `keys`. Write `{ keys = [ { kty = …, … } ] }`.
    ");
    assert_snapshot!(jwt(
        "algorithms = [\"RS256\"]\npublic_key = \"-----BEGIN RSA PRIVATE KEY-----\"\n"
    ), @r"
    hallpass.toml:5:1: auth.jwt[0].public_key: not a public key in PEM. Write the PEM that begins with `-----BEGIN PUBLIC KEY-----`.
    ");
}

#[test]
fn names_and_cookies_are_distinct() {
    let cookie = "[[auth.session_cookie]]\nformat = \"authjs-v5\"\nsecrets = [\"STRONG\"]\n";
    assert_snapshot!(refused(&format!(
        "{LOGIN}{LOGIN}{cookie}{cookie}name = \"b\"\n[[upstream]]\n[[upstream]]\n"
    )), @r"
    hallpass.toml:8:1: auth.jwt[1].name: two logins are named `jwt`. Give each a `name` of its own.
    hallpass.toml:16:1: auth.session_cookie[1].cookie: two entries read the cookie `authjs.session-token`. Keep one, with the secrets of both.
    hallpass.toml:21:1: upstream[1].name: two upstreams are named `openai`. Give each a name of its own.
    ");
}

#[test]
fn weak_secrets_are_refused_without_being_repeated() {
    let text = "[[auth.session_cookie]]\nformat = \"next-auth-v4\"\nsecrets = [\n\"short-one\",\n\
                \"STRONG\\n\",\n\"please-change-me-to-something-long-and-random\",\n\"********\"]\n\
                [[auth.session_cookie]]\nname = \"b\"\ncookie = \"b c\"\nformat = \"authjs-v4\"\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:10:10: auth.session_cookie[1].cookie: not a cookie name. Write the name alone, such as `next-auth.session-token`.
    hallpass.toml:11:10: auth.session_cookie[1].format: `authjs-v4` is not known. Did you mean `authjs-v5`?
    ");
    let text = "[[auth.session_cookie]]\nformat = \"next-auth-v4\"\nsecrets = [\n\"short-one\",\n\
                \"STRONG\\n\",\n\"please-change-me-to-something-long-and-random\",\n\"********\"]\n\
                [[auth.session_cookie]]\nname = \"b\"\ncookie = \"bc\"\nformat = \"authjs-v5\"\n";
    let told = refused(text);
    assert!(
        !told.contains("short-one") && !told.contains(&STRONG[..4]),
        "{told}"
    );
    assert_snapshot!(told, @r"
    hallpass.toml:4:1: auth.session_cookie[0].secrets[0]: the secret has fewer than 32 characters. Make one with `openssl rand -base64 48`.
    hallpass.toml:5:1: auth.session_cookie[0].secrets[1]: the secret ends in whitespace. Remove it; `printf %s` writes a file without a newline.
    hallpass.toml:6:1: auth.session_cookie[0].secrets[2]: the secret is a well-known placeholder. Make one with `openssl rand -base64 48`.
    hallpass.toml:7:1: auth.session_cookie[0].secrets[3]: the secret is a well-known placeholder. Make one with `openssl rand -base64 48`.
    hallpass.toml:8:1: auth.session_cookie[1]: no secret would open a session. Set `secrets_file` or `secrets`.
    ");
}

#[test]
fn profiles_hold_sessions_that_openai_knows() {
    assert_snapshot!(profile("session = { model = \"gpt-realtime-2.1\" }\n"), @r#"
    hallpass.toml:4:1: profiles.p.session.type: `type` must be `realtime` or `transcription`. Add `type = "realtime"`.
    "#);
    assert_snapshot!(profile("session = { type = \"realtime\" }\n"), @r#"
    hallpass.toml:4:1: profiles.p.session.model: a realtime session needs a model. Add `model = "gpt-realtime-2.1"`.
    "#);
    assert_snapshot!(profile(
        "session = { type = \"transcription\", model = \"gpt-transcribe\" }\n"
    ), @r"
    hallpass.toml:4:37: profiles.p.session.model: a transcription session has no `model` of its own. Move it to `audio.input.transcription.model`.
    ");
    assert_snapshot!(profile(
        "mode = \"call\"\nmodes = [\"relay\"]\nexpires_after_seconds = 9\nsession = { type = \"realtime\", model = \"m\" }\n"
    ), @r"
    hallpass.toml:6:25: profiles.p.expires_after_seconds: 9 is out of range. Choose 10 to 7200.
    ");
    assert_snapshot!(profile(
        "mode = \"call\"\nmodes = [\"relay\"]\nexpires_after_seconds = 90\nmax_expires_after_seconds = 80\nlease_seconds = 1801\nsession = { type = \"realtime\", model = \"m\" }\n"
    ), @r"
    hallpass.toml:4:1: profiles.p.mode: the default mode `call` is not among `modes`. Add it to `modes`, or choose one of them.
    hallpass.toml:6:1: profiles.p.expires_after_seconds: longer than `max_expires_after_seconds`. Lower it, or raise `max_expires_after_seconds`.
    hallpass.toml:8:1: profiles.p.lease_seconds: the lease is longer than the session. Choose less than `max_session_seconds`, or 0 for no lease.
    ");
}

#[test]
fn callers_override_only_members_that_exist_and_cost_nothing() {
    assert_snapshot!(profile(
        "overrides = [\"model\", \"type\", \"audio.output.voic\", \"temperature\", \"tools\"]\necho = [\"instruction\"]\n\
         session = { type = \"realtime\", model = \"m\" }\n"
    ), @r"
    hallpass.toml:4:14: profiles.p.overrides[0]: `model` decides what a session may cost and is the profile's alone. Remove it, and make a profile for each.
    hallpass.toml:4:23: profiles.p.overrides[1]: `type` decides what a session may cost and is the profile's alone. Remove it, and make a profile for each.
    hallpass.toml:4:31: profiles.p.overrides[2]: a realtime session has no member `audio.output.voic`. Did you mean `audio.output.voice`?
    hallpass.toml:4:52: profiles.p.overrides[3]: a realtime session has no member `temperature`. Name a member as OpenAI does, such as `audio.output.voice`.
    hallpass.toml:5:9: profiles.p.echo[0]: no member at the top of a realtime session: `instruction`. Did you mean `instructions`?
    ");
    assert_snapshot!(profile(
        "overrides = [\"audio.output.voice\"]\nsession = { type = \"transcription\" }\n"
    ), @r"
    hallpass.toml:4:14: profiles.p.overrides[0]: a transcription session has no member `audio.output.voice`. Name a member as OpenAI does, such as `audio.output.voice`.
    ");
}

#[test]
fn a_misspelt_session_member_is_a_warning() {
    let loaded = accepted(
        "[profiles.interview]\nsession = { type = \"realtime\", model = \"m\", instrutions = \"x\" }\n",
    );
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_snapshot!(warnings.join("\n"), @r"
    hallpass.toml:2:45: profiles.interview.session.instrutions: a realtime session has no member `instrutions` known here. Did you mean `instructions`?
    upstream[0]: the upstream has no key. Set `api_key_file`, or `OPENAI_API_KEY` in the environment.
    ");
}

#[test]
fn roles_fit_profiles_and_logins() {
    let text = "[auth]\napi_keys = false\ndefault_role = \"candidat\"\n[roles.candidate]\nprofiles = [\"interviw\"]\n\
                permissions = [\"grants:creat\", \"grants:*\", \"x:*\", \"*\"]\n\
                [profiles.orphan]\nsession = { type = \"realtime\", model = \"m\" }\n";
    assert_snapshot!(refused(&format!("{text}{LOGIN}")), @r"
    hallpass.toml:3:1: auth.default_role: there is no role `candidat`. Did you mean `candidate`?
    hallpass.toml:4:8: roles.candidate: nobody can have this role: it is not the default, no login maps roles, and API keys are off. Map a claim with `claims = { roles = … }`, allow API keys, or remove the role.
    hallpass.toml:5:13: roles.candidate.profiles[0]: there is no profile `interviw`. Known here: orphan.
    hallpass.toml:6:16: roles.candidate.permissions[0]: there is no permission `grants:creat`. Did you mean `grants:create`?
    hallpass.toml:6:44: roles.candidate.permissions[2]: there is no permission `x:*`. Known here: grants:create, grants:read:own, grants:read:any, grants:revoke:own, grants:revoke:any, interviews:manage, keys:read, keys:manage, audit:read, usage:read, sessions:read, alerts:read, alerts:manage, sessions:manage, upstreams:manage.
    hallpass.toml:7:11: profiles.orphan: nobody may use this profile: no role names it. Add it to the `profiles` of a role, or remove it.
    ");
}

#[test]
fn built_in_roles_are_no_fault_of_the_operator() {
    accepted(&format!(
        "[auth]\napi_keys = false\ndefault_role = \"candidate\"\n{LOGIN}"
    ));
    accepted("[roles.auditor]\npermissions = [\"audit:read\"]\n");
    let own = "[profiles.support]\nsession = { type = \"realtime\", model = \"m\" }\n";
    assert_snapshot!(refused(own), @r"
    roles.candidate.profiles[0]: there is no profile `interview`. This role is built in: define the roles of your own profiles.
    ");
}

#[test]
fn names_are_plain() {
    let text = "[profiles.\"inter view\"]\nsession = { type = \"realtime\", model = \"m\" }\n\
                [roles.\"\"]\nprofiles = [\"*\"]\n[roles.\"App:Admin_1\"]\n";
    assert_snapshot!(refused(text), @r#"
    hallpass.toml:1:11: profiles."inter view": the name of a profile is empty, longer than 64 characters, or holds an unusual one. Use letters, digits and `._:/-`.
    hallpass.toml:3:8: roles."": the name of a role is empty, longer than 64 characters, or holds an unusual one. Use letters, digits and `._:/-`.
    "#);
}

#[test]
fn free_tables_hold_only_what_json_can() {
    let text = "session = { type = \"realtime\", model = \"m\", tools = [{ at = 2024-01-01, x = inf }] }\n";
    assert_snapshot!(profile(text), @r"
    hallpass.toml:4:61: profiles.p.session.tools[0].at: a date, which no setting takes. Put it in quotes.
    hallpass.toml:4:77: profiles.p.session.tools[0].x: not a finite number. Write a number such as `2.5`.
    ");
}

#[test]
fn a_role_can_use_what_it_names() {
    let text = "[profiles.p]\nexpires_after_seconds = 300\nsession = { type = \"realtime\", model = \"m\" }\n\
                [roles.a]\nprofiles = [\"p\"]\nmodes = [\"call\"]\nkinds = [\"transcription\"]\nmax_expires_after_seconds = 60\n";
    assert_snapshot!(refused(text), @r"
    hallpass.toml:6:1: roles.a.modes: profile `p` has none of these modes. Add one of the profile's modes.
    hallpass.toml:7:1: roles.a.kinds: profile `p` is of another type. Add the type of the profile's session.
    hallpass.toml:8:1: roles.a.max_expires_after_seconds: at most 60 s is below the 300 s that profile `p` asks for. Raise it, or lower `expires_after_seconds` of the profile.
    ");
}

#[test]
fn without_any_login_nobody_could_call() {
    assert_snapshot!(refused(
        "[auth]\napi_keys = false\ndefault_role = \"candidate\"\n"
    ), @r"
    hallpass.toml:2:1: auth.api_keys: nobody could authenticate. Add `[[auth.jwt]]` or `[[auth.session_cookie]]`, or allow API keys.
    ");
    let loaded = accepted("");
    assert_snapshot!(loaded.ready_to_serve(false).unwrap_err().to_string(), @r"
    hallpass.toml:1:1: auth: nobody could authenticate: no `[[auth.jwt]]`, no `[[auth.session_cookie]]`, and no API key in the store. Add one of the two, or create a key with `hallpass keys create`.
    upstream[0]: the upstream has no key. Set `api_key_file`, or `OPENAI_API_KEY` in the environment.
    ");
    let keyed = accepted(&format!("[[upstream]]\napi_key = \"sk-STRONG\"\n{LOGIN}"));
    assert_eq!(keyed.ready_to_serve(false), Ok(()));
}

#[test]
fn the_trail_goes_only_where_it_can_and_may() {
    let text = format!(
        "{LOGIN}[audit]\narchive = \"ftp://host/x\"\ncheckpoint_to = \"http://witness.example/\"\n\
         ship_to = [\"stdout\", \"file:/x\", \"stdout\", \"https://c.example/v1/logs\"]\n"
    );
    let refused = refused(&text);
    for part in [
        "audit.archive: no archive can be kept there",
        "audit.checkpoint_to: records would travel in the clear",
        "audit.ship_to[1]: this is no place anything can be sent to",
        "audit.ship_to[2]: the place is named twice",
    ] {
        assert!(refused.contains(part), "{part}\n{refused}");
    }
    let good = "[audit]\narchive = \"old\"\ncheckpoint_to = \"file:/var/checkpoints\"\n\
                ship_to = [\"http://127.0.0.1:4318/v1/logs\"]\nhot_days = 500\n";
    let loaded = accepted(&format!("{LOGIN}{good}"));
    let archive = loaded.config.audit.archive.unwrap();
    assert!(archive.ends_with(".hallpass/old"), "{archive}");
    let warned = loaded.warnings.iter().any(|w| w.path == "audit.hot_days");
    assert!(warned, "hot longer than kept");
}

#[test]
fn alerts_that_could_not_work_are_refused() {
    let secret = concat!("whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    for (text, path, what) in [
        (
            "[[alerts.rule]]\nname = \"tokens_per_usr\"\n".to_owned(),
            "alerts.rule[0].name",
            "tokens_per_user",
        ),
        (
            "[[alerts.rule]]\nname = \"pass_reused\"\nkind = \"expiring\"\n".to_owned(),
            "alerts.rule[0].name",
            "another kind",
        ),
        (
            "[[alerts.rule]]\nname = \"tokens_per_user\"\nthreshold = 5\nresolve = 6\n".to_owned(),
            "alerts.rule[0].resolve",
            "before it began",
        ),
        (
            "[[alerts.webhook]]\nurl = \"https://ops.example.com\"\n".to_owned(),
            "alerts.webhook[0].secret",
            "signed",
        ),
        (
            "[[alerts.webhook]]\nurl = \"https://ops.example.com\"\nsecret = \"short\"\n"
                .to_owned(),
            "alerts.webhook[0].secret",
            "whsec_",
        ),
        (
            format!(
                "[[alerts.webhook]]\nurl = \"https://169.254.169.254/x\"\nsecret = \"{secret}\"\n"
            ),
            "alerts.webhook[0].url",
            "private",
        ),
        (
            format!(
                "[[alerts.webhook]]\nurl = \"http://ops.example.com/x\"\nsecret = \"{secret}\"\n"
            ),
            "alerts.webhook[0].url",
            "clear",
        ),
        (
            "[[alerts.webhook]]\nformat = \"slack\"\n".to_owned(),
            "alerts.webhook[0].url",
            "no address",
        ),
        (
            "[[alerts.webhook]]\nformat = \"pagerduty\"\n".to_owned(),
            "alerts.webhook[0].secret",
            "routing key",
        ),
        (
            "[scan]\norigins = [\"http://app.example.com/\"]\n".to_owned(),
            "scan.origins[0]",
            "https",
        ),
    ] {
        let told = hallpass_config::from_toml_str(&text, Path::new("")).unwrap_err();
        let told = told.to_string();
        assert!(told.contains(path) && told.contains(what), "{text}\n{told}");
    }
}
