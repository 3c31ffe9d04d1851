//! `[prices."<model>"]`: what a model costs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// United States dollars for a million tokens, or for a minute.
///
/// What is absent has no price: usage of that kind is counted as unpriced, not
/// as free.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Text in.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub text_in: Option<f64>,
    /// Text in, cached.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub text_cached: Option<f64>,
    /// Text out.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub text_out: Option<f64>,
    /// Audio in.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub audio_in: Option<f64>,
    /// Audio in, cached.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub audio_cached: Option<f64>,
    /// Audio out.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub audio_out: Option<f64>,
    /// Images in.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub image_in: Option<f64>,
    /// Images in, cached.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub image_cached: Option<f64>,
    /// A minute of audio, of models billed by time.
    #[schemars(range(min = 0.0, max = 1_000_000.0))]
    pub per_minute: Option<f64>,
}
