//! The browser's end of a call: a peer connection on a socket of its own.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use serde_json::Value;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::ChannelId,
    format::Codec,
    media::{Direction, Frequency, MediaKind, MediaTime, Mid},
    net::{Protocol, Receive},
};
use tokio::net::UdpSocket;

pub(crate) struct Browser {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    pending: Option<SdpPendingOffer>,
    microphone: Mid,
    channel: Option<ChannelId>,
    events: VecDeque<Value>,
    pub(crate) offer: String,
    /// Packets of sound received.
    pub(crate) heard: usize,
    pub(crate) gone: bool,
}

impl Browser {
    /// One that offers its microphone and a data channel for events.
    pub(crate) async fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let local = socket.local_addr().unwrap();
        let mut rtc = Rtc::new(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let mut change = rtc.sdp_api();
        let microphone = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        change.add_channel("oai-events".to_owned());
        let (offer, pending) = change.apply().unwrap();
        Self {
            rtc,
            socket,
            local,
            pending: Some(pending),
            microphone,
            channel: None,
            events: VecDeque::new(),
            offer: offer.to_sdp_string(),
            heard: 0,
            gone: false,
        }
    }

    /// Takes the answer; the connection comes up as it is driven.
    pub(crate) fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// The next server event.
    pub(crate) async fn event(&mut self) -> Value {
        self.drive(|browser| browser.events.pop_front()).await
    }

    /// Events up to and with the first of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.event().await);
            if events.last().unwrap()["type"] == kind {
                return events;
            }
        }
    }

    /// Until the other side closes the connection.
    pub(crate) async fn closed(&mut self) {
        self.drive(|browser| browser.gone.then_some(())).await;
    }

    /// Sends a client event on the open data channel.
    pub(crate) fn send(&mut self, event: &Value) {
        let channel = self.channel.expect("the data channel is open");
        let mut channel = self.rtc.channel(channel).unwrap();
        assert!(channel.write(false, event.to_string().as_bytes()).unwrap());
        self.flush();
    }

    /// Speaks so many packets of 20 ms.
    pub(crate) fn speak(&mut self, packets: u64) {
        for packet in 0..packets {
            let writer = self.rtc.writer(self.microphone).unwrap();
            let mut codecs = writer.payload_params();
            let opus = codecs.find(|it| it.spec().codec == Codec::Opus);
            let opus = opus.unwrap().pt();
            drop(codecs);
            let time = MediaTime::new(packet * 960, Frequency::FORTY_EIGHT_KHZ);
            let silence = [0xF8, 0xFF, 0xFE];
            writer.write(opus, Instant::now(), time, silence).unwrap();
            self.flush();
        }
    }

    /// Closes the page.
    pub(crate) fn leave(&mut self) {
        self.rtc.close().unwrap();
        self.flush();
    }

    async fn drive<T>(&mut self, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        let driven = async {
            loop {
                let wake = self.flush();
                if let Some(found) = done(self) {
                    return found;
                }
                self.wait(wake).await;
            }
        };
        let driven = tokio::time::timeout(Duration::from_secs(10), driven).await;
        driven.expect("the peer connection moves on within ten seconds")
    }

    async fn wait(&mut self, wake: Instant) {
        let mut buffer = [0; 2048];
        tokio::select! {
            received = self.socket.recv_from(&mut buffer) => {
                let Ok((length, source)) = received else { return };
                let bytes = &buffer[..length];
                let receive = Receive::new(Protocol::Udp, source, self.local, bytes).unwrap();
                self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            }
            () = tokio::time::sleep_until(wake.into()) => {
                self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            }
        }
    }

    fn flush(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => return at,
                Output::Event(event) => self.see(event),
                Output::Transmit(datagram) => {
                    let sent = self
                        .socket
                        .try_send_to(&datagram.contents, datagram.destination);
                    drop(sent);
                }
            }
        }
    }

    fn see(&mut self, event: Event) {
        match event {
            Event::ChannelOpen(id, _) => self.channel = Some(id),
            Event::ChannelData(message) => {
                let event = serde_json::from_slice(&message.data).unwrap();
                self.events.push_back(event);
            }
            Event::MediaData(_) => self.heard += 1,
            Event::ChannelClose(_) | Event::Closed => self.gone = true,
            _ => {}
        }
    }
}
