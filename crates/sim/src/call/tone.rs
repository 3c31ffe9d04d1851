//! The sound of a call: a tone, already encoded.

use std::time::Duration;

use tokio::time::Instant;

/// 500 Hz in Opus at 20 kbit/s: fifty packets of 20 ms, each of 50 bytes.
///
/// An encoder is a large thing to carry for one tone. These are packets from
/// the middle of a longer one, so that the last joins the first.
const PACKETS: &[u8; 2500] = include_bytes!("tone.bin");
const PACKET_BYTES: usize = 50;

/// What one packet plays.
pub(crate) const PACKET: Duration = Duration::from_millis(20);
/// What one packet plays, milliseconds.
pub(crate) const PACKET_MS: u64 = 20;
/// Most that waits to be played, milliseconds; what is beyond is not spoken.
const QUEUE_LIMIT_MS: u64 = 60_000;

/// Sound that waits to be sent at the pace at which it is heard.
#[derive(Debug)]
pub(crate) struct Playout {
    waiting_ms: u64,
    /// Packets sent since the call began: the tone's place and the clock.
    sent: u64,
    next: Instant,
}

impl Playout {
    pub(crate) fn new() -> Self {
        Self {
            waiting_ms: 0,
            sent: 0,
            next: Instant::now(),
        }
    }

    /// Adds so much sound.
    pub(crate) fn play(&mut self, milliseconds: u64) {
        if self.waiting_ms == 0 {
            self.next = Instant::now();
        }
        self.waiting_ms = (self.waiting_ms + milliseconds).min(QUEUE_LIMIT_MS);
    }

    /// Forgets what was not sent.
    pub(crate) fn hush(&mut self) {
        self.waiting_ms = 0;
    }

    /// Whether nothing waits.
    pub(crate) fn is_silent(&self) -> bool {
        self.waiting_ms == 0
    }

    /// When the next packet is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        (!self.is_silent()).then_some(self.next)
    }

    /// The next packet, and its place in time in samples at 48 kHz.
    pub(crate) fn take(&mut self) -> (&'static [u8], u64) {
        let packets = PACKETS.chunks_exact(PACKET_BYTES);
        let place = (self.sent as usize) % packets.len();
        let packet = packets.clone().nth(place).unwrap_or_default();
        let time = self.sent * 48 * PACKET_MS;
        self.sent += 1;
        self.waiting_ms = self.waiting_ms.saturating_sub(PACKET_MS);
        self.next += PACKET;
        (packet, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plays_at_the_pace_of_hearing_and_falls_silent() {
        let mut playout = Playout::new();
        assert_eq!(playout.due(), None);
        playout.play(50);
        let began = playout.due().unwrap();
        assert_eq!(playout.take().1, 0);
        assert_eq!(playout.due(), Some(began + PACKET));
        let times: Vec<_> = (0..2).map(|_| playout.take().1).collect();
        assert_eq!(times, [960, 1920]);
        assert!(playout.is_silent());
    }

    #[test]
    fn the_tone_goes_round() {
        let mut playout = Playout::new();
        playout.play(QUEUE_LIMIT_MS * 2);
        let first = playout.take().0;
        for _ in 1..50 {
            assert_eq!(playout.take().0.len(), PACKET_BYTES);
        }
        assert_eq!(playout.take().0, first);
    }
}
