//! The sideband: attached with patience, attached again when it drops.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use hallpass_core::{
    call::{CallMaker, CallPlace, Heard, ListenError, Sideband},
    live::EndReason,
};
use tokio::time::{Instant, sleep_until};

use super::{Patience, may_come};

type Listening = Pin<Box<dyn Future<Output = Result<Box<dyn Sideband>, ListenError>> + Send>>;

/// What comes next of a call.
pub(super) enum Next {
    /// A sideband is open, for the first time or again.
    Attached,
    /// It heard something.
    Heard(Heard),
    /// The call is over, or can't be watched.
    Over(EndReason),
}

/// A call's sideband.
pub(super) struct Wire {
    place: CallPlace,
    maker: Arc<dyn CallMaker>,
    patience: Patience,
    sideband: Option<Box<dyn Sideband>>,
    /// An attempt under way; beside an open sideband it is a probe.
    listening: Option<Listening>,
    next_try: Instant,
    wait: Duration,
    /// When nothing more is waited for, while no sideband is open.
    give_up: Instant,
    attachments: u32,
    /// Whether the browser has surely connected before, so that a call OpenAI
    /// does not know is over.
    connected: bool,
}

impl Wire {
    pub(super) fn new(place: CallPlace, maker: Arc<dyn CallMaker>, patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            place,
            maker,
            sideband: None,
            listening: None,
            next_try: now,
            wait: patience.backoff.0,
            give_up: now + patience.connect,
            patience,
            attachments: 0,
            connected: false,
        }
    }

    /// Looks for a call that was made some time ago, and may be over.
    pub(super) fn look_again(&mut self, age: Duration) {
        self.connected = age >= self.patience.connect;
        let left = self.patience.connect.saturating_sub(age);
        let wait = if self.connected {
            self.patience.blind
        } else {
            left
        };
        self.give_up = Instant::now() + wait;
    }

    /// How often a sideband was attached.
    pub(super) const fn attachments(&self) -> u32 {
        self.attachments
    }

    /// Sends a client event; false where it can't. Where nothing is attached it is not needed: what
    /// is to be said is found out anew by the next sideband.
    pub(super) async fn say(&mut self, event: &str) -> bool {
        let Some(sideband) = &mut self.sideband else {
            return false;
        };
        let said = sideband.say(event).await;
        if !said {
            self.drop_sideband();
        }
        said
    }

    /// What comes next; may be dropped and called again.
    pub(super) async fn next(&mut self) -> Next {
        loop {
            let attached = self.sideband.is_some();
            let give_up = self.give_up;
            tokio::select! {
                heard = hear(&mut self.sideband) => return self.take(heard),
                tried = listen(&mut self.listening) => {
                    self.listening = None;
                    if let Some(next) = self.tried(tried) {
                        return next;
                    }
                }
                () = sleep_until(self.next_try), if self.listening.is_none() => self.begin(),
                () = sleep_until(give_up), if !attached => return Next::Over(self.given_up()),
            }
        }
    }

    fn begin(&mut self) {
        let (maker, place) = (self.maker.clone(), self.place.clone());
        self.listening = Some(Box::pin(async move { maker.listen(&place).await }));
    }

    fn take(&mut self, heard: Heard) -> Next {
        match &heard {
            Heard::Event(_) => self.next_try = Instant::now() + self.patience.probe,
            Heard::Closed { .. } | Heard::Lost => self.drop_sideband(),
        }
        Next::Heard(heard)
    }

    fn drop_sideband(&mut self) {
        let now = Instant::now();
        self.sideband = None;
        self.next_try = now;
        self.give_up = now + self.patience.blind;
    }

    fn tried(&mut self, tried: Result<Box<dyn Sideband>, ListenError>) -> Option<Next> {
        let error = match tried {
            Ok(sideband) => {
                let probed = self.sideband.replace(sideband).is_some();
                self.wait = self.patience.backoff.0;
                self.next_try = Instant::now() + self.patience.probe;
                if probed {
                    // It takes the old one's place; nothing was missed between.
                    return None;
                }
                self.attachments += 1;
                self.connected = true;
                return Some(Next::Attached);
            }
            Err(error) => error,
        };
        if self.connected && !may_come(&error) {
            return Some(Next::Over(EndReason::UpstreamClosed));
        }
        tracing::debug!(call = %self.place.call_id, %error, "no sideband yet");
        self.wait = (self.wait * 2).min(self.patience.backoff.1);
        let probing = self.sideband.is_some();
        let wait = if probing {
            self.patience.probe
        } else {
            self.wait
        };
        self.next_try = Instant::now() + wait;
        None
    }

    fn given_up(&self) -> EndReason {
        if self.connected {
            EndReason::UpstreamLost
        } else {
            EndReason::ClientLost
        }
    }
}

async fn hear(sideband: &mut Option<Box<dyn Sideband>>) -> Heard {
    match sideband {
        Some(sideband) => sideband.hear().await,
        None => std::future::pending().await,
    }
}

async fn listen(listening: &mut Option<Listening>) -> Result<Box<dyn Sideband>, ListenError> {
    match listening {
        Some(listening) => listening.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
