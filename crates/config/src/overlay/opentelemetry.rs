//! OpenTelemetry's own variables, and what they set.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use url::Url;

use crate::collector_headers::decoded;

/// A variable, the member it sets by its name in capitals, and the text for it.
pub(super) type Setting = (String, &'static str, String);

/// A variable that can't be followed: its name, what is wrong, what to do.
pub(super) type Wrong = (String, &'static str, &'static str);

/// Variables that set a member as they are; of two for the same, the first.
const PLAIN: [(&str, &str); 9] = [
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "TRACES_HEADERS"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "TRACES_HEADERS"),
    ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "TRACES_CA_FILE"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "TRACES_CA_FILE"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "TRACES_TIMEOUT_MS"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "TRACES_TIMEOUT_MS"),
    ("OTEL_TRACES_SAMPLER", "TRACES_SAMPLER"),
    ("OTEL_TRACES_SAMPLER_ARG", "TRACES_RATIO"),
    ("OTEL_SERVICE_NAME", "TRACES_SERVICE_NAME"),
];

/// How spans are gathered.
const BATCHES: [(&str, &str); 3] = [
    ("OTEL_BSP_SCHEDULE_DELAY", "TRACES_GATHER_MS"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "TRACES_QUEUE_SPANS"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "TRACES_BATCH_SPANS"),
];

/// Where traces shared with other signals, or alone, are sent.
const SHARED_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// What the variables set. Without an endpoint, theirs or another, they count
/// for nothing: a platform may give them to every container.
pub(super) fn settings(
    variables: &BTreeMap<String, String>,
    has_endpoint: bool,
) -> (Vec<Setting>, Vec<Wrong>) {
    let mut read = Read {
        variables,
        settings: Vec::new(),
        wrong: Vec::new(),
    };
    let names = [ENDPOINT, SHARED_ENDPOINT];
    if !has_endpoint && names.iter().all(|name| read.text(name).is_none()) {
        return (read.settings, read.wrong);
    }
    read.switch();
    read.endpoint();
    for (variable, member) in PLAIN.into_iter().chain(BATCHES) {
        if let Some(text) = read.text(variable) {
            read.set(variable, member, text.to_owned());
        }
    }
    read.resource();
    (read.settings, read.wrong)
}

struct Read<'v> {
    variables: &'v BTreeMap<String, String>,
    settings: Vec<Setting>,
    wrong: Vec<Wrong>,
}

impl<'v> Read<'v> {
    /// The text of a variable; an empty one is as good as none.
    fn text(&self, variable: &str) -> Option<&'v str> {
        let text = self.variables.get(variable)?;
        (!text.is_empty()).then_some(text.as_str())
    }

    fn set(&mut self, variable: &str, member: &'static str, text: String) {
        if !self.settings.iter().any(|(_, known, _)| *known == member) {
            self.settings.push((variable.to_owned(), member, text));
        }
    }

    fn switch(&mut self) {
        let disabled = self.text("OTEL_SDK_DISABLED");
        if disabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            self.set("OTEL_SDK_DISABLED", "TRACES_ENABLED", "false".to_owned());
        }
        if self.text("OTEL_TRACES_EXPORTER") == Some("none") {
            self.set("OTEL_TRACES_EXPORTER", "TRACES_ENABLED", "false".to_owned());
        }
    }

    fn endpoint(&mut self) {
        if let Some(text) = self.text(ENDPOINT) {
            self.set(ENDPOINT, "TRACES_ENDPOINT", text.to_owned());
        } else if let Some(text) = self.text(SHARED_ENDPOINT) {
            // Of what all signals share, traces have a path of their own.
            let url = Url::parse(text).map(|mut url| {
                let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
                url.set_path(&path);
                url.to_string()
            });
            let text = url.unwrap_or_else(|_| text.to_owned());
            self.set(SHARED_ENDPOINT, "TRACES_ENDPOINT", text);
        } else {
            return;
        }
        let protocols = [
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ];
        let protocol = protocols
            .into_iter()
            .find_map(|name| Some((name, self.text(name)?)));
        if let Some((name, _)) = protocol.filter(|(_, text)| *text != "http/protobuf") {
            self.wrong.push((
                name.to_owned(),
                "traces are sent as http/protobuf only",
                "Set it to `http/protobuf`, with the collector's port for that, usually 4318",
            ));
        }
    }

    fn resource(&mut self) {
        let variable = "OTEL_RESOURCE_ATTRIBUTES";
        let Some(text) = self.text(variable) else {
            return;
        };
        let items = text.split(',').filter(|item| !item.trim().is_empty());
        let pairs: Option<Vec<(String, String)>> = items
            .map(|item| {
                let (key, value) = item.split_once('=')?;
                Some((key.trim().to_owned(), decoded(value.trim())?))
            })
            .collect();
        let Some(mut pairs) = pairs else {
            let what = "not a list of attributes";
            let remedy = "Write `key=value,key=value`, values percent-encoded";
            return self.wrong.push((variable.to_owned(), what, remedy));
        };
        if let Some(at) = pairs.iter().position(|(key, _)| key == "service.name") {
            let (_, name) = pairs.remove(at);
            self.set(variable, "TRACES_SERVICE_NAME", name);
        }
        if !pairs.is_empty() {
            let members: Map<_, _> = pairs
                .into_iter()
                .map(|(key, value)| (key, Json::from(value)))
                .collect();
            let text = Json::Object(members).to_string();
            self.set(variable, "TRACES_RESOURCE_ATTRIBUTES", text);
        }
    }
}
