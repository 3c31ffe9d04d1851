//! The configuration of a development server, written down as a file that
//! shows a newcomer what one looks like.

use std::{fmt::Write, path::Path};

use hallpass_config::{Loaded, from_toml_str};
use secrecy::ExposeSecret;

use super::{
    announce::Addresses,
    secrets::{DIR, DURABLE},
};
use crate::{
    cli::{Stop, dev::Dev},
    wiring::private_file,
};

/// The file within the data directory.
const FILE: &str = "dev.toml";

/// Tokens the app signs name this issuer and audience.
pub(crate) const ISSUER: &str = "https://app.hallpass.test";
pub(crate) const AUDIENCE: &str = "hallpass";
/// The cookie of the app's sessions.
pub(crate) const COOKIE: &str = "next-auth.session-token";
/// The profile of the demo page's interviews.
pub(crate) const DEMO_PROFILE: &str = "demo";
/// The role of the demo page's candidates.
pub(crate) const DEMO_ROLE: &str = "demo";

/// Writes the configuration and reads it as `hallpass serve` would.
pub(crate) fn write(dev: &Dev, data_dir: &Path, addresses: &Addresses) -> Result<Loaded, Stop> {
    let mut text = text(dev, addresses);
    if let Some(address) = &dev.durable {
        // It may hold a password, and the settings are shown around.
        let file = data_dir.join(DIR).join(DURABLE);
        private_file::write(&file, address.expose_secret().as_bytes())?;
        let _ = write!(text, "\n[store]\ndurable_file = \"{DIR}/{DURABLE}\"\n");
    }
    private_file::write(&data_dir.join(FILE), text.as_bytes())?;
    from_toml_str(&text, data_dir).map_err(|problems| Stop::usage(problems.to_string()))
}

fn text(dev: &Dev, addresses: &Addresses) -> String {
    let (public, admin) = (addresses.public, addresses.admin);
    let (url, upstream) = (addresses.url(), addresses.upstream_base());
    let level = if dev.verbose { "info" } else { "warn" };
    let mut text = String::new();
    // Writing into a String does not fail.
    let _ = write!(
        text,
        r#"# Written by `hallpass dev` at each start. `hallpass serve` reads files like it.

[server]
listen = "{public}"
admin_listen = "{admin}"
public_url = "{url}"
data_dir = "."
drain_delay_seconds = 0

[[upstream]]
name = "{name}"
base_url = "{upstream}"

# The app's own tokens.
[[auth.jwt]]
name = "app"
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
algorithms = ["HS256"]
secret_file = "secrets/jwt"
claims = {{ subject = "sub", roles = "roles", session_id = "session_id" }}

# The app's own sessions, as NextAuth v4 makes them.
[[auth.session_cookie]]
name = "web"
format = "next-auth-v4"
cookie = "{COOKIE}"
secrets_file = "secrets/session"
roles = "roles"

[auth]
default_role = "candidate"

[profiles.interview]
mode = "direct"
modes = ["direct", "relay", "call"]
expires_after_seconds = 60
max_expires_after_seconds = 600
overrides = ["audio.output.voice"]
session = {{ type = "realtime", model = "gpt-realtime-2.1", instructions = "You are a friendly, professional interviewer. Ask one question at a time, listen to the whole answer, and follow up before you move on.", audio = {{ output = {{ voice = "marin" }} }} }}

# What the page at /demo/ uses. The simulated model says the lines after "Ask:".
[profiles.demo]
mode = "direct"
modes = ["direct", "relay", "call"]
expires_after_seconds = 60
max_expires_after_seconds = 600
lease_seconds = 12
session = {{ type = "realtime", model = "gpt-realtime-2.1", instructions = """
You are a friendly, professional interviewer. Ask these questions in this order, one at a time.
Listen to the whole answer, thank the candidate in a few words, and go on. After the last one say goodbye.
Ask: Hello, and thank you for coming. Tell me a little about yourself.
Ask: Thank you. Which piece of your work are you most proud of, and why?
Ask: I see. Tell me about a time when something went wrong. What did you learn?
Ask: Good to know. What would you like to learn here in your first year?
Ask: That was my last question. Thank you very much, and goodbye.
""", audio = {{ input = {{ transcription = {{ model = "gpt-live-transcribe", language = "en" }} }}, output = {{ voice = "marin" }} }} }}

[profiles.transcription]
mode = "direct"
modes = ["direct", "relay"]
expires_after_seconds = 60
max_expires_after_seconds = 600
session = {{ type = "transcription", audio = {{ input = {{ transcription = {{ model = "gpt-live-transcribe", language = "en" }} }} }} }}

[roles.candidate]
profiles = ["interview", "transcription"]
permissions = ["grants:create", "grants:read:own", "grants:revoke:own"]
limits = {{ per_minute = 5, per_hour = 60, concurrent_sessions = 1 }}

[roles.demo]
profiles = ["demo"]
permissions = ["grants:create", "grants:read:own", "grants:revoke:own"]
limits = {{ per_minute = 60, per_hour = 600, concurrent_sessions = 2 }}

[roles.service]
profiles = ["*"]
permissions = ["grants:*", "interviews:*"]

[roles.operator]
profiles = ["*"]
permissions = ["*"]

[limits]
per_address_per_minute = 1000000

[log]
format = "text"
level = "{level}"
"#,
        name = addresses.upstream_name(),
    );
    text
}
