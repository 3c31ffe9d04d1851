//! The upstream of the configuration as the core's minter.

use std::{sync::Arc, time::Duration};

use hallpass_config::section;
use hallpass_core::ports::Clock;
use hallpass_upstream::{OpenAi, UpstreamSettings};

use crate::cli::Stop;

/// The client of an upstream, and how long a whole mint may take there.
pub(crate) fn openai(
    section: &section::Upstream,
    clock: Arc<dyn Clock>,
) -> Result<(OpenAi, Duration), Stop> {
    let name = &section.name;
    let key = section.api_key.clone().ok_or_else(|| {
        Stop::usage(format!(
            "the upstream \"{name}\" has no key. Set OPENAI_API_KEY, api_key_file or api_key."
        ))
    })?;
    let mut settings = UpstreamSettings::new(name.as_str(), section.base_url.clone(), key);
    settings.organization = section.organization.clone();
    settings.project = section.project.clone();
    if let Some(path) = &section.ca_file {
        let pem = std::fs::read_to_string(path);
        settings.extra_roots_pem = Some(
            pem.map_err(|error| Stop::usage(format!("can't read {}: {error}", path.display())))?,
        );
    }
    let client = OpenAi::new(settings, clock)
        .map_err(|error| Stop::usage(format!("the upstream \"{name}\": {error}")))?;
    Ok((client, Duration::from_millis(section.timeout_ms)))
}
