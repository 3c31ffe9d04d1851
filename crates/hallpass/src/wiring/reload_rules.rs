//! Which settings can change while the server serves.

use hallpass_config::{Config, section};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

/// The settings that changed and can't be put in force without a restart.
pub(crate) fn fixed_changes(old: &Config, new: &Config) -> Vec<&'static str> {
    let auth = |config: &Config| section::Auth {
        default_role: None,
        ..config.auth.clone()
    };
    let per_address = |config: &Config| config.limits.per_address_per_minute;
    let compared = [
        ("server", differ(&old.server, &new.server)),
        ("store", differ(&old.store, &new.store)),
        ("mint", differ(&old.mint, &new.mint)),
        ("audit", differ(&old.audit, &new.audit)),
        (
            "alerts",
            differ(&old.alerts, &new.alerts) || hidden(&old.alerts) != hidden(&new.alerts),
        ),
        ("scan", differ(&old.scan, &new.scan)),
        ("log", differ(&old.log, &new.log)),
        (
            "traces",
            differ(&old.traces, &new.traces) || headers(&old.traces) != headers(&new.traces),
        ),
        (
            "limits.per_address_per_minute",
            per_address(old) != per_address(new),
        ),
        (
            "auth",
            differ(&auth(old), &auth(new)) || secrets(&old.auth) != secrets(&new.auth),
        ),
    ];
    named(compared)
}

/// The settings that changed and can be put in force.
pub(crate) fn open_changes(old: &Config, new: &Config) -> Vec<&'static str> {
    let keys = |config: &Config| -> Vec<Option<String>> {
        let keys = config.upstream.iter().map(|upstream| &upstream.api_key);
        keys.map(|key| key.as_ref().map(|key| key.expose_secret().to_owned()))
            .collect()
    };
    let default_role = |config: &Config| config.auth.default_role.clone();
    named([
        ("profiles", differ(&old.profiles, &new.profiles)),
        ("roles", differ(&old.roles, &new.roles)),
        ("limits", differ(&old.limits, &new.limits)),
        ("auth.default_role", default_role(old) != default_role(new)),
        ("upstream", differ(&old.upstream, &new.upstream)),
        ("upstream.api_key", keys(old) != keys(new)),
    ])
}

fn named<const N: usize>(compared: [(&'static str, bool); N]) -> Vec<&'static str> {
    let changed = compared.into_iter().filter(|(_, differs)| *differs);
    changed.map(|(name, _)| name).collect()
}

/// Whether two sections differ in what is shown of them: secrets are not.
fn differ<T: Serialize>(old: &T, new: &T) -> bool {
    let shown = |section: &T| serde_json::to_value(section).unwrap_or(Value::Null);
    shown(old) != shown(new)
}

/// The secrets of a section, which it does not show.
fn secrets(auth: &section::Auth) -> Vec<&str> {
    let tokens = auth.jwt.iter().filter_map(|jwt| jwt.secret.as_ref());
    let sessions = auth.session_cookie.iter().flat_map(|it| &it.secrets);
    let all = tokens.chain(sessions);
    all.map(SecretString::expose_secret).collect()
}

/// The addresses and secrets of webhooks, which are not shown.
fn hidden(alerts: &section::Alerts) -> Vec<&str> {
    let all = alerts.webhook.iter();
    let all = all.flat_map(|webhook| [webhook.url.as_ref(), webhook.secret.as_ref()]);
    all.flatten().map(SecretString::expose_secret).collect()
}

/// The headers for the collector, which are not shown.
fn headers(traces: &section::Traces) -> Option<&str> {
    traces.headers.as_ref().map(SecretString::expose_secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        let folder = std::path::Path::new("/tmp");
        hallpass_config::from_toml_str(text, folder).unwrap().config
    }

    fn jwt(secret: &str) -> String {
        format!(
            "[[auth.jwt]]\nname = \"a\"\nissuer = \"https://a.test\"\naudience = \"b\"\nalgorithms = [\"HS256\"]\nsecret = \"{secret}\"\n"
        )
    }

    #[test]
    fn nothing_changed_is_nothing_told() {
        let text = jwt("2b7e151628aed2a6abf7158809cf4f3c");
        assert!(fixed_changes(&config(&text), &config(&text)).is_empty());
        assert!(open_changes(&config(&text), &config(&text)).is_empty());
    }

    #[test]
    fn a_secret_that_changed_is_seen_though_it_is_not_shown() {
        let old = config(&jwt("2b7e151628aed2a6abf7158809cf4f3c"));
        let new = config(&jwt("3b7e151628aed2a6abf7158809cf4f3d"));
        assert_eq!(fixed_changes(&old, &new), ["auth"]);
    }

    #[test]
    fn each_setting_is_told_by_its_name() {
        let old = config("");
        let fixed = config("[server]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n");
        assert_eq!(fixed_changes(&old, &fixed), ["server", "log"]);
        let open = config(
            "[limits]\nglobal_per_minute = 5\n[auth]\ndefault_role = \"candidate\"\n[[upstream]]\nweight = 2\n",
        );
        assert!(fixed_changes(&old, &open).is_empty());
        assert_eq!(
            open_changes(&old, &open),
            ["limits", "auth.default_role", "upstream"]
        );
    }
}
