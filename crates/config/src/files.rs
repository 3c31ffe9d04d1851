//! Paths resolved against the file's folder, and secret files read.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::check::Findings;
use crate::load::Scope;
use crate::section::{Config, Jwt, SessionCookie, Store, StoreAddress, Traces, Upstream, Webhook};

/// More than any secret has.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Makes paths independent of the working folder and fills in secrets.
pub(crate) fn resolve(config: &mut Config, base: &Path, scope: Scope, findings: &mut Findings<'_>) {
    let mut files = Files { base, findings };
    for (index, jwt) in config.auth.jwt.iter_mut().enumerate() {
        files.jwt(jwt, &format!("auth.jwt[{index}]"));
    }
    for (index, cookie) in config.auth.session_cookie.iter_mut().enumerate() {
        files.session_cookie(cookie, &format!("auth.session_cookie[{index}]"));
    }
    if scope == Scope::AuthOnly {
        return;
    }
    for (index, upstream) in config.upstream.iter_mut().enumerate() {
        files.upstream(upstream, &format!("upstream[{index}]"));
    }
    for (index, webhook) in config.alerts.webhook.iter_mut().enumerate() {
        files.webhook(webhook, &format!("alerts.webhook[{index}]"));
    }
    files.traces(&mut config.traces);
    files.existing(
        config.scan.fingerprints_file.as_mut(),
        "scan.fingerprints_file",
    );
    if let Some(tls) = &mut config.server.tls {
        files.existing(Some(&mut tls.cert_file), "server.tls.cert_file");
        files.existing(Some(&mut tls.key_file), "server.tls.key_file");
    }
    files.existing(
        config.server.install_key_file.as_mut(),
        "server.install_key_file",
    );
    files.durable(&mut config.store);
    files.shared(&mut config.store);
    config.server.data_dir = base.join(&config.server.data_dir);
    config.audit.dir = config.server.data_dir.join(&config.audit.dir);
    if let Some(archive) = config.audit.archive.as_mut()
        && url::Url::parse(archive).is_err()
    {
        let folder = config.server.data_dir.join(&*archive);
        *archive = folder.to_string_lossy().into_owned();
    }
}

struct Files<'f, 'o> {
    base: &'f Path,
    findings: &'f mut Findings<'o>,
}

impl Files<'_, '_> {
    fn jwt(&mut self, jwt: &mut Jwt, path: &str) {
        self.existing(jwt.jwks_file.as_mut(), &format!("{path}.jwks_file"));
        self.existing(
            jwt.public_key_file.as_mut(),
            &format!("{path}.public_key_file"),
        );
        let twice = jwt.secret.is_some() && jwt.secret_file.is_some();
        self.refuse_twice(twice, path, "secret");
        if let Some(text) = self.secret(jwt.secret_file.as_mut(), &format!("{path}.secret_file")) {
            jwt.secret = Some(SecretString::from(text));
        }
    }

    fn session_cookie(&mut self, cookie: &mut SessionCookie, path: &str) {
        let twice = !cookie.secrets.is_empty() && cookie.secrets_file.is_some();
        self.refuse_twice(twice, path, "secrets");
        if let Some(text) = self.secret(
            cookie.secrets_file.as_mut(),
            &format!("{path}.secrets_file"),
        ) {
            cookie.secrets = secrets_of(&text);
        }
    }

    fn upstream(&mut self, upstream: &mut Upstream, path: &str) {
        self.existing(upstream.ca_file.as_mut(), &format!("{path}.ca_file"));
        self.refuse_twice(
            upstream.api_key.is_some() && upstream.api_key_file.is_some(),
            path,
            "api_key",
        );
        if let Some(text) = self.secret(
            upstream.api_key_file.as_mut(),
            &format!("{path}.api_key_file"),
        ) {
            upstream.api_key = Some(SecretString::from(text.trim()));
        }
    }

    fn durable(&mut self, store: &mut Store) {
        let twice = store.durable_file.is_some() && !self.findings.is_builtin("store.durable");
        self.refuse_twice(twice, "store", "durable");
        let path = "store.durable_file";
        let Some(text) = self.secret(store.durable_file.as_mut(), path) else {
            return;
        };
        store.durable = StoreAddress::new(text.trim());
        if !store.durable.is_postgres() {
            let remedy = "Write an address into it, such as `postgres://user@host/database`";
            self.findings
                .refuse(path, "holds no address of a store", remedy);
        }
    }

    /// The address' form is judged here, since it was not in the tree.
    fn shared(&mut self, store: &mut Store) {
        let Some(text) = self.secret(store.shared_file.as_mut(), "store.shared_file") else {
            return;
        };
        if !store.shared.is_embedded() {
            return self.refuse_twice(true, "store", "shared");
        }
        let text = text.trim();
        match crate::shape::format_fault("shared-store", text) {
            Some((what, remedy)) => self.findings.refuse("store.shared_file", &what, &remedy),
            None => store.shared = StoreAddress::new(text),
        }
    }

    fn webhook(&mut self, webhook: &mut Webhook, path: &str) {
        let twice = webhook.url.is_some() && webhook.url_file.is_some();
        self.refuse_twice(twice, path, "url");
        if let Some(text) = self.secret(webhook.url_file.as_mut(), &format!("{path}.url_file")) {
            webhook.url = Some(SecretString::from(text.trim()));
        }
        let twice = webhook.secret.is_some() && webhook.secret_file.is_some();
        self.refuse_twice(twice, path, "secret");
        let file = webhook.secret_file.as_mut();
        if let Some(text) = self.secret(file, &format!("{path}.secret_file")) {
            webhook.secret = Some(SecretString::from(text.trim()));
        }
    }

    fn traces(&mut self, traces: &mut Traces) {
        self.existing(traces.ca_file.as_mut(), "traces.ca_file");
        let twice = traces.headers.is_some() && traces.headers_file.is_some();
        self.refuse_twice(twice, "traces", "headers");
        let file = traces.headers_file.as_mut();
        if let Some(text) = self.secret(file, "traces.headers_file") {
            traces.headers = Some(SecretString::from(text.trim()));
        }
    }

    fn refuse_twice(&mut self, twice: bool, path: &str, name: &str) {
        if twice {
            let what = format!("`{name}` and `{name}_file` are both set");
            self.findings
                .refuse(&format!("{path}.{name}"), &what, "Keep one of the two");
        }
    }

    /// The path made absolute where the base is, and whether a file is there.
    fn existing(&mut self, file: Option<&mut PathBuf>, path: &str) {
        let Some(file) = file else {
            return;
        };
        *file = self.base.join(&*file);
        if let Err(error) = std::fs::File::open(&*file) {
            self.unreadable(path, &error);
        }
    }

    fn secret(&mut self, file: Option<&mut PathBuf>, path: &str) -> Option<String> {
        let file = file?;
        *file = self.base.join(&*file);
        match read_small(file) {
            Ok(text) => Some(text),
            Err(error) => {
                self.unreadable(path, &error);
                None
            }
        }
    }

    fn unreadable(&mut self, path: &str, error: &std::io::Error) {
        let what = format!("cannot read the file: {error}");
        let remedy = "Check the path, which counts from the configuration file's folder, and its permissions";
        self.findings.refuse(path, &what, remedy);
    }
}

fn read_small(file: &Path) -> std::io::Result<String> {
    use std::io::Read;

    let mut text = String::new();
    std::fs::File::open(file)?
        .take(MAX_SECRET_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(std::io::Error::other(
            "larger than 64 KiB, which no secret is",
        ));
    }
    Ok(text)
}

/// One secret a line. Secrets are bytes: a last newline stays part of the last
/// secret, so that the check can report it.
fn secrets_of(text: &str) -> Vec<SecretString> {
    let (lines, end) = match text.strip_suffix('\n') {
        Some(lines) => (lines, "\n"),
        None => (text, ""),
    };
    let mut secrets: Vec<SecretString> = lines.split('\n').map(SecretString::from).collect();
    if let Some(last) = secrets.pop() {
        secrets.push(SecretString::from(format!("{}{end}", last.expose_secret())));
    }
    secrets
}
