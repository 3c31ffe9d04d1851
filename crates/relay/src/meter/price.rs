//! What models cost: a dated table, and the operator's own over it.

use std::collections::BTreeMap;

use hallpass_core::{money::NanoUsd, usage::Tokens};
use serde::Deserialize;

/// The table Hallpass ships.
const SHIPPED: &str = include_str!("../../prices.toml");

/// Parts of a nano-dollar in which a token's price is kept.
const PER_TOKEN: u64 = 1_000;

/// United States dollars for a million tokens, or for a minute. What is absent
/// has no price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Text in.
    pub text_in: Option<f64>,
    /// Text in, cached.
    pub text_cached: Option<f64>,
    /// Text out.
    pub text_out: Option<f64>,
    /// Audio in.
    pub audio_in: Option<f64>,
    /// Audio in, cached.
    pub audio_cached: Option<f64>,
    /// Audio out.
    pub audio_out: Option<f64>,
    /// Images in.
    pub image_in: Option<f64>,
    /// Images in, cached.
    pub image_cached: Option<f64>,
    /// A minute of audio, of models billed by time.
    pub per_minute: Option<f64>,
}

/// A table that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The shipped table can't be read.
    #[error("the shipped price table can't be read: {0}")]
    Shipped(#[from] toml::de::Error),
    /// A price is no amount of money.
    #[error("the price of \"{0}\" is not an amount of money")]
    Amount(String),
}

#[derive(Deserialize)]
struct Shipped {
    as_of: String,
    prices: BTreeMap<String, Price>,
}

/// Prices by model, in whole nano-dollars.
#[derive(Debug, Clone)]
pub struct Prices {
    as_of: String,
    models: BTreeMap<String, Exact>,
}

/// A price in thousandths of a nano-dollar a token: prices have up to three
/// places beyond a dollar for a million.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exact {
    text: [Option<u64>; 3],
    audio: [Option<u64>; 3],
    image: [Option<u64>; 2],
    per_minute: Option<NanoUsd>,
}

impl Prices {
    /// The shipped table with an operator's prices over it, model by model.
    ///
    /// # Errors
    ///
    /// [`PriceError`] when a price is negative or no number.
    pub fn new(own: impl IntoIterator<Item = (String, Price)>) -> Result<Self, PriceError> {
        let shipped: Shipped = toml::from_str(SHIPPED)?;
        let mut models = BTreeMap::new();
        for (name, price) in shipped.prices.into_iter().chain(own) {
            let exact = Exact::of(&price).ok_or_else(|| PriceError::Amount(name.clone()))?;
            models.insert(name, exact);
        }
        Ok(Self {
            as_of: shipped.as_of,
            models,
        })
    }

    /// The day the shipped table was made.
    #[must_use]
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// The price of a model; of a dated one that has none, that of its family.
    #[must_use]
    pub fn of(&self, model: &str) -> Option<&Exact> {
        self.models.get(model).or_else(|| {
            // "gpt-realtime-2025-08-28" is "gpt-realtime".
            let family = model.get(..model.len().checked_sub(11)?)?;
            let date = model.get(family.len()..)?;
            let dated = date.bytes().enumerate().all(|(at, byte)| match at {
                0 | 5 | 8 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
            self.models.get(family).filter(|_| dated)
        })
    }
}

impl Exact {
    fn of(price: &Price) -> Option<Self> {
        let token = |dollars: Option<f64>| match dollars {
            // A dollar for a million tokens is a thousand nano-dollars for one.
            Some(dollars) => NanoUsd::from_dollars(dollars / 1000.0).map(|nano| Some(nano.0)),
            None => Some(None),
        };
        let minute = match price.per_minute {
            Some(dollars) => Some(NanoUsd::from_dollars(dollars)?),
            None => None,
        };
        Some(Self {
            text: [
                token(price.text_in)?,
                token(price.text_cached)?,
                token(price.text_out)?,
            ],
            audio: [
                token(price.audio_in)?,
                token(price.audio_cached)?,
                token(price.audio_out)?,
            ],
            image: [token(price.image_in)?, token(price.image_cached)?],
            per_minute: minute,
        })
    }

    /// What tokens cost; none where a kind that was used has no price. Rounded
    /// up once, at the end.
    #[must_use]
    pub fn of_tokens(&self, tokens: &Tokens) -> Option<NanoUsd> {
        let uncached = |all: u64, cached: u64| all.saturating_sub(cached);
        let parts = [
            (
                uncached(tokens.input_text, tokens.cached_text),
                self.text[0],
            ),
            (tokens.cached_text, self.text[1].or(self.text[0])),
            (tokens.output_text, self.text[2]),
            (
                uncached(tokens.input_audio, tokens.cached_audio),
                self.audio[0],
            ),
            (tokens.cached_audio, self.audio[1].or(self.audio[0])),
            (tokens.output_audio, self.audio[2]),
            (
                uncached(tokens.input_image, tokens.cached_image),
                self.image[0],
            ),
            (tokens.cached_image, self.image[1].or(self.image[0])),
        ];
        let mut sum: u128 = 0;
        for (count, price) in parts {
            if count > 0 {
                sum += u128::from(count) * u128::from(price?);
            }
        }
        let nano = sum.div_ceil(u128::from(PER_TOKEN));
        Some(NanoUsd(u64::try_from(nano).unwrap_or(u64::MAX)))
    }

    /// What some milliseconds cost, rounded up.
    #[must_use]
    pub fn of_time(&self, ms: u64) -> Option<NanoUsd> {
        let nano = (u128::from(ms) * u128::from(self.per_minute?.0)).div_ceil(60_000);
        Some(NanoUsd(u64::try_from(nano).unwrap_or(u64::MAX)))
    }
}
