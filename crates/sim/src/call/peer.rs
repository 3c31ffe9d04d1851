//! The far end of a browser's peer connection: ICE, DTLS, SCTP and a tone.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
};

use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcError,
    change::SdpOffer,
    channel::{ChannelConfig, ChannelId},
    format::Codec,
    media::{Frequency, MediaKind, MediaTime, Mid},
    net::{Protocol, Receive},
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until},
};

use super::tone::{PACKET_MS, Playout};

/// What the data channel of the events is called.
const LABEL: &str = "oai-events";
/// Largest datagram of a WebRTC peer, with room to spare.
const DATAGRAM_LIMIT: usize = 2048;
/// Bytes the data channel may hold unsent: a message has to fit in whole.
const SEND_BUFFER: usize = 1024 * 1024;
/// Bytes left in the channel when more is written to it.
const LOW_WATER: usize = 64 * 1024;
/// Events that may wait for a browser; one slower than that is given up.
const WAITING_LIMIT: usize = 10_000;

/// What happened on a peer connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// ICE and DTLS are through: the call is live.
    Connected,
    /// The data channel is open.
    Opened,
    /// The browser sent an event.
    Said(String),
    /// The browser sent a binary message.
    SaidBinary,
    /// The browser sent this many milliseconds of audio.
    Heard(u64),
    /// All sound has been sent.
    Played,
    /// The browser is gone.
    Left,
}

/// One peer connection, on a socket of its own.
pub(crate) struct Peer {
    rtc: Box<Rtc>,
    socket: UdpSocket,
    local: SocketAddr,
    received: Box<[u8; DATAGRAM_LIMIT]>,
    channel: Option<ChannelId>,
    track: Option<Mid>,
    playout: Playout,
    waiting: VecDeque<String>,
    sights: VecDeque<Sight>,
    left: bool,
}

impl Peer {
    /// Answers an offer that means it; `None` where no connection can follow.
    ///
    /// `channel_id` is the id of a data channel both sides agreed on outside
    /// the connection, as the query's `dcid`.
    pub(crate) async fn answer(offer: &str, channel_id: Option<u16>) -> Option<(Self, String)> {
        if !offer.contains("a=ice-ufrag:") || !offer.contains("a=fingerprint:") {
            return None;
        }
        let refused = |error: &dyn std::fmt::Display| {
            tracing::debug!(%error, "an offer gets an answer without a connection");
        };
        let offer = SdpOffer::from_sdp_string(offer).inspect_err(|it| refused(it));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let socket = socket.inspect_err(|it| refused(it)).ok()?;
        let local = socket.local_addr().ok()?;
        let mut rtc = endpoint();
        rtc.add_local_candidate(Candidate::host(local, "udp").ok()?);
        let channel = channel_id.map(|id| open_agreed(&mut rtc, id));
        let answer = rtc.sdp_api().accept_offer(offer.ok()?);
        let answer = answer.inspect_err(|it| refused(it)).ok()?;
        let peer = Self {
            rtc: Box::new(rtc),
            socket,
            local,
            received: Box::new([0; DATAGRAM_LIMIT]),
            channel,
            track: None,
            playout: Playout::new(),
            waiting: VecDeque::new(),
            sights: VecDeque::new(),
            left: false,
        };
        Some((peer, answer.to_sdp_string()))
    }

    /// The next thing that happens; may be dropped and called again.
    pub(crate) async fn next(&mut self) -> Sight {
        loop {
            let wake = self.drain();
            if let Some(sight) = self.sights.pop_front() {
                return sight;
            }
            if self.left {
                return std::future::pending().await;
            }
            let due = self.playout.due();
            tokio::select! {
                datagram = self.socket.recv_from(&mut self.received[..]) => {
                    // An error is another peer's port that closed: nothing of this one.
                    if let Ok((length, source)) = datagram {
                        self.take_in(length, source);
                    }
                }
                () = sleep_until(wake) => self.time_passed(),
                () = sleep_until(due.unwrap_or(wake)), if due.is_some() => self.play_packet(),
            }
        }
    }

    /// Sends an event to the browser.
    pub(crate) fn send(&mut self, event: &str) {
        if self.waiting.len() >= WAITING_LIMIT {
            return self.leave();
        }
        self.waiting.push_back(event.to_owned());
        self.pour();
    }

    /// Sends so many milliseconds of sound, at the pace at which it is heard.
    pub(crate) fn play(&mut self, milliseconds: u64) {
        self.playout.play(milliseconds);
    }

    /// Forgets the sound that was not sent.
    pub(crate) fn hush(&mut self) {
        self.playout.hush();
    }

    /// Whether all sound has been sent.
    pub(crate) fn is_silent(&self) -> bool {
        self.playout.is_silent()
    }

    /// Says goodbye, as far as the connection is up.
    pub(crate) fn close(&mut self) {
        self.drain();
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "a peer connection did not close");
        }
        self.drain();
    }

    /// Sends what is due; the answer is when there is more to do.
    fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(datagram)) => {
                    // What the kernel doesn't take is lost, as datagrams are.
                    let _ = self
                        .socket
                        .try_send_to(&datagram.contents, datagram.destination);
                }
                Ok(Output::Event(event)) => self.see(event),
                Ok(Output::Timeout(at)) => {
                    if !self.rtc.is_alive() {
                        self.leave();
                    }
                    return Instant::from_std(at);
                }
                Err(error) => {
                    tracing::debug!(%error, "a peer connection broke");
                    self.leave();
                    return Instant::now();
                }
            }
        }
    }

    fn see(&mut self, event: Event) {
        match event {
            Event::Connected => self.sights.push_back(Sight::Connected),
            Event::ChannelOpen(id, _) if self.channel.is_none_or(|known| known == id) => {
                self.channel = Some(id);
                if let Some(mut channel) = self.rtc.channel(id) {
                    channel.set_buffered_amount_low_threshold(LOW_WATER);
                }
                self.sights.push_back(Sight::Opened);
            }
            Event::ChannelData(message) if Some(message.id) == self.channel => {
                let said = match String::from_utf8(message.data) {
                    Ok(text) if !message.binary => Sight::Said(text),
                    _ => Sight::SaidBinary,
                };
                self.sights.push_back(said);
            }
            Event::ChannelBufferedAmountLow(_) => self.pour(),
            Event::ChannelClose(id) if Some(id) == self.channel => self.leave(),
            Event::MediaAdded(added) if added.kind == MediaKind::Audio => {
                self.track.get_or_insert(added.mid);
            }
            Event::MediaData(_) => self.sights.push_back(Sight::Heard(PACKET_MS)),
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => {
                self.leave();
            }
            _ => {}
        }
    }

    fn leave(&mut self) {
        if !self.left {
            self.left = true;
            self.sights.push_back(Sight::Left);
        }
    }

    fn take_in(&mut self, length: usize, source: SocketAddr) {
        let bytes = self.received.get(..length).unwrap_or_default();
        let Ok(receive) = Receive::new(Protocol::Udp, source, self.local, bytes) else {
            return;
        };
        let input = Input::Receive(Instant::now().into_std(), receive);
        let handled = self.rtc.handle_input(input);
        self.check(handled);
    }

    fn time_passed(&mut self) {
        let now = Instant::now().into_std();
        let handled = self.rtc.handle_input(Input::Timeout(now));
        self.check(handled);
    }

    fn check(&mut self, handled: Result<(), RtcError>) {
        if let Err(error) = handled {
            tracing::debug!(%error, "a peer connection broke");
            self.leave();
        }
    }

    /// Writes as much as the data channel takes.
    fn pour(&mut self) {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else {
            return;
        };
        while let Some(event) = self.waiting.front() {
            match channel.write(false, event.as_bytes()) {
                Ok(true) => {}
                Ok(false) if event.len() < SEND_BUFFER => return,
                Ok(false) => tracing::debug!("an event is too large for the data channel"),
                Err(error) => tracing::debug!(%error, "an event did not reach the browser"),
            }
            self.waiting.pop_front();
        }
    }

    fn play_packet(&mut self) {
        let (packet, samples) = self.playout.take();
        self.write_packet(packet, samples);
        if self.playout.is_silent() {
            self.sights.push_back(Sight::Played);
        }
    }

    /// A browser that offered no audio hears nothing.
    fn write_packet(&mut self, packet: &'static [u8], samples: u64) {
        let Some(writer) = self.track.and_then(|track| self.rtc.writer(track)) else {
            return;
        };
        let opus = writer
            .payload_params()
            .find(|params| params.spec().codec == Codec::Opus);
        let Some(opus) = opus.map(|params| params.pt()) else {
            return;
        };
        let time = MediaTime::new(samples, Frequency::FORTY_EIGHT_KHZ);
        if let Err(error) = writer.write(opus, Instant::now().into_std(), time, packet) {
            tracing::debug!(%error, "a packet of sound was not sent");
        }
    }
}

/// An endpoint that speaks Opus and waits to be called.
fn endpoint() -> Rtc {
    let provider = str0m::crypto::from_feature_flags();
    Rtc::builder()
        .set_crypto_provider(provider.into())
        .set_ice_lite(true)
        .clear_codecs()
        .enable_opus(true, false)
        .set_sctp_max_buffered_amount(SEND_BUFFER)
        .build(Instant::now().into_std())
}

fn open_agreed(rtc: &mut Rtc, id: u16) -> ChannelId {
    rtc.direct_api().create_data_channel(ChannelConfig {
        label: LABEL.to_owned(),
        negotiated: Some(id),
        ..ChannelConfig::default()
    })
}
