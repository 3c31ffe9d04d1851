//! The relay: the pool's WebSockets, and what models cost.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hallpass_config::{Config, section};
use hallpass_core::pipeline::Opened;
use hallpass_http::{DialledSocket, Dialler, Relay};
use hallpass_relay::{Buffers, Carried, Limits, meter};
use hallpass_upstream::{DialOrder, DialQuery, Pool};

use crate::cli::Stop;

/// How long a dial may take, the upstream's own connect timeout included.
const DIAL: Duration = Duration::from_secs(8);

/// Relays through the upstreams of a configuration.
pub(crate) fn relay(config: &Config, pool: Arc<Pool>) -> Result<Relay, Stop> {
    Ok(Relay {
        dialler: Arc::new(PoolDialler(pool)),
        carried: Carried {
            buffers: Buffers::default(),
            prices: Arc::new(prices(config)?),
            limits: Limits::default(),
        },
    })
}

/// The shipped prices with the operator's over them; a role whose budget is
/// money must have a price for what it may relay.
pub(crate) fn prices(config: &Config) -> Result<meter::Prices, Stop> {
    let own = config.prices.iter();
    let own = own.map(|(model, price)| (model.clone(), of(price)));
    let prices = meter::Prices::new(own).map_err(|error| Stop::usage(error.to_string()))?;
    for (name, role) in &config.roles {
        if !counts_money(&role.budget) {
            continue;
        }
        for (profile, model) in unpriced(config, role, &prices) {
            tracing::warn!(
                role = name,
                profile,
                model,
                "the role's budget counts money, and this model has no price: add [prices.\"<model>\"], or its use is only counted"
            );
        }
    }
    Ok(prices)
}

fn unpriced<'c>(
    config: &'c Config,
    role: &section::Role,
    prices: &meter::Prices,
) -> Vec<(&'c str, &'c str)> {
    let profiles = config.profiles.iter();
    let relayed = profiles.filter(|(name, profile)| {
        let beyond_direct = profile
            .modes
            .iter()
            .any(|mode| *mode != section::Mode::Direct);
        beyond_direct && role.allows_profile(name)
    });
    let models =
        relayed.filter_map(|(name, profile)| Some((name.as_str(), profile.session.text("model")?)));
    models
        .filter(|(_, model)| prices.of(model).is_none())
        .collect()
}

fn counts_money(budget: &section::Budget) -> bool {
    [
        budget.usd_per_session,
        budget.usd_per_day,
        budget.role_usd_per_day,
    ]
    .iter()
    .any(Option::is_some)
}

fn of(price: &section::Price) -> meter::Price {
    meter::Price {
        text_in: price.text_in,
        text_cached: price.text_cached,
        text_out: price.text_out,
        audio_in: price.audio_in,
        audio_cached: price.audio_cached,
        audio_out: price.audio_out,
        image_in: price.image_in,
        image_cached: price.image_cached,
        per_minute: price.per_minute,
    }
}

/// Dials at whichever upstream takes its turn.
struct PoolDialler(Arc<Pool>);

#[async_trait]
impl Dialler for PoolDialler {
    async fn dial(&self, opened: &Opened) -> Result<DialledSocket, String> {
        let identifier = opened.safety_identifier();
        let order = DialOrder {
            query: DialQuery::Session(opened.session()),
            upstream: None,
            safety_identifier: &identifier,
            deadline: DIAL,
        };
        let dialled = self.0.dial(&order).await;
        let dialled = dialled.map_err(|failure| failure.to_string())?;
        Ok(DialledSocket {
            pipe: Box::new(dialled.stream),
            ahead: dialled.ahead,
        })
    }
}
