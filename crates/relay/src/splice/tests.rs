//! The splicer against a reference that knows whole messages only.
//!
//! Streams of frames are generated: fragmented, masked, with control frames in
//! between. The reference reads them with tungstenite, judges each whole message
//! with the guard and `serde_json`, and says what OpenAI should see. The splicer
//! gets the same bytes cut anywhere, and what it sends on is read with
//! tungstenite too.

use std::io::{Cursor, Read, Write};

use proptest::prelude::*;
use serde_json::Value;
use tokio_tungstenite::tungstenite::{
    Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

use super::*;
use crate::{
    client::ClientJudge,
    guard::{Guard, Verdict, tests::profile},
    ws::{Head, Opcode},
};

/// A stream tungstenite reads from; what it would answer goes nowhere.
struct Tape(Cursor<Vec<u8>>);

impl Read for Tape {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The messages in a client's bytes, as a server reads them.
fn messages(bytes: Vec<u8>) -> Vec<Message> {
    let config = WebSocketConfig::default()
        .max_message_size(None)
        .max_frame_size(None);
    let mut socket =
        WebSocket::from_raw_socket(Tape(Cursor::new(bytes)), Role::Server, Some(config));
    let mut all = Vec::new();
    while let Ok(message) = socket.read() {
        let closes = message.is_close();
        all.push(message);
        if closes {
            break;
        }
    }
    all
}

fn guard() -> Guard {
    Guard::new(profile(hallpass_core::profile::LiveRules::default()))
}

/// What OpenAI should see of one message; none where it stays here.
fn expected(message: &Message) -> Option<Message> {
    match message {
        Message::Text(text) => match guard().judge(text.as_bytes()) {
            Verdict::Forward { event, .. } => Some(Message::text(event)),
            Verdict::Refuse { .. } => None,
        },
        Message::Binary(_) => None,
        other => Some(other.clone()),
    }
}

/// The same to any parser: two texts are if their JSON is.
fn same(a: &Message, b: &Message) -> bool {
    match (a, b) {
        (Message::Text(a), Message::Text(b)) => {
            let read = |text: &str| serde_json::from_str::<Value>(text).ok();
            read(a) == read(b)
        }
        _ => a == b,
    }
}

/// Runs a splicer over bytes cut into pieces; what it sent on.
fn spliced(
    bytes: &[u8],
    mut next: impl FnMut() -> usize,
) -> (Vec<u8>, Result<(), Violation>, usize) {
    let mut splicer = Splicer::new(Side::Client, 1 << 20, ClientJudge::new(guard()));
    let (mut onward, mut from, mut refused) = (Vec::new(), 0, 0);
    while from < bytes.len() {
        let to = bytes.len().min(from + next().max(1));
        let mut sink = Sink::default();
        let taken = splicer.take(&bytes[from..to], &mut sink, &mut || [9, 8, 7, 6]);
        onward.extend(sink.joined(&bytes[from..to]));
        refused += sink.back.len();
        if taken.is_err() {
            return (onward, taken, refused);
        }
        from = to;
    }
    (onward, Ok(()), refused)
}

/// One message as a client sends it: its text, and where it is cut into frames.
#[derive(Debug, Clone)]
struct Sent {
    opcode: Opcode,
    payload: Vec<u8>,
    cuts: Vec<usize>,
    pings: bool,
}

fn frames(sent: &[Sent]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut key = [1_u8, 2, 3, 4];
    for message in sent {
        let mut cuts: Vec<usize> = message
            .cuts
            .iter()
            .map(|cut| cut % (message.payload.len() + 1))
            .collect();
        cuts.push(message.payload.len());
        cuts.sort_unstable();
        let (last, mut from) = (cuts.len() - 1, 0);
        for (index, to) in cuts.into_iter().enumerate() {
            let opcode = if index == 0 {
                message.opcode
            } else {
                Opcode::Continuation
            };
            bytes.extend(Head::frame(
                index == last,
                opcode,
                Some(key),
                &message.payload[from..to],
            ));
            if message.pings && index < last {
                bytes.extend(Head::frame(true, Opcode::Ping, Some(key), b"ping"));
            }
            key = key.map(|byte| byte.wrapping_mul(31).wrapping_add(7));
            from = to;
        }
    }
    bytes
}

fn events() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[A-Za-z0-9+/]{0,300}".prop_map(|audio| format!("{{\"type\":\"input_audio_buffer.append\",\"audio\":\"{audio}\"}}")),
        1 => "[A-Za-z0-9+/]{0,300}".prop_map(|audio| format!("{{ \"audio\" : \"{audio}\", \"event_id\":\"e\",\"type\":\"input_audio_buffer.append\"}}")),
        1 => Just(r#"{"type":"input_audio_buffer.append","audio":"A","x":{"type":"session.update"}}"#.to_owned()),
        1 => Just(r#"{"type":"input_audio_buffer.commit"}"#.to_owned()),
        1 => "[a-zé\"\\\\]{0,20}".prop_map(|text| serde_json::json!({"type": "session.update", "session": {"instructions": text, "audio": {"output": {"voice": text}}}}).to_string()),
        1 => Just(r#"{"type":"conversation.item.create","item":{"type":"message","role":"system","content":[]}}"#.to_owned()),
        1 => "\\PC{0,40}".prop_map(|text| text),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let cuts = prop::collection::vec(any::<usize>(), 0..4);
    let text = (events(), cuts.clone(), any::<bool>()).prop_map(|(text, cuts, pings)| Sent {
        opcode: Opcode::Text,
        payload: text.into_bytes(),
        cuts,
        pings,
    });
    let binary =
        (prop::collection::vec(any::<u8>(), 0..50), cuts).prop_map(|(payload, cuts)| Sent {
            opcode: Opcode::Binary,
            payload,
            cuts,
            pings: false,
        });
    prop_oneof![9 => text, 1 => binary]
}

/// Pings may overtake the message they came in the middle of.
fn without_pings(messages: Vec<Message>) -> (Vec<Message>, usize) {
    let (pings, rest): (Vec<_>, Vec<_>) = messages.into_iter().partition(Message::is_ping);
    (rest, pings.len())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn openai_sees_what_the_guard_saw_however_the_bytes_are_cut(
        sent in prop::collection::vec(sent(), 1..6),
        sizes in prop::collection::vec(1_usize..400, 1..12),
    ) {
        let bytes = frames(&sent);
        let mut sizes = sizes.into_iter().cycle();
        let (onward, taken, _) = spliced(&bytes, || sizes.next().unwrap_or(1));
        let (seen, pings) = without_pings(messages(onward));
        let (read, all_pings) = without_pings(messages(bytes));
        let wanted: Vec<Message> = read.iter().filter_map(expected).collect();
        if taken.is_ok() {
            prop_assert_eq!(seen.len(), wanted.len());
            prop_assert_eq!(pings, all_pings);
        }
        // Where it gave up, what went before is still just what was judged.
        for (seen, wanted) in seen.iter().zip(&wanted) {
            prop_assert!(same(seen, wanted), "{:?} {:?}", seen, wanted);
        }
    }

    #[test]
    fn no_bytes_panic_and_no_bytes_make_a_message_unjudged(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1_usize..40) {
        let (onward, ..) = spliced(&bytes, || size);
        for message in messages(onward) {
            if let Message::Text(text) = message {
                let judged = guard().judge(text.as_bytes());
                let forwards = matches!(judged, Verdict::Forward { .. });
                prop_assert!(forwards);
            }
        }
    }
}

fn text(payload: &str) -> Sent {
    Sent {
        opcode: Opcode::Text,
        payload: payload.as_bytes().to_vec(),
        cuts: Vec::new(),
        pings: false,
    }
}

#[test]
fn a_stream_cut_at_every_byte_says_the_same() {
    let sent = [
        text(r#"{"type":"input_audio_buffer.append","audio":"AAAABBBBCCCC"}"#),
        Sent {
            cuts: vec![3, 20],
            pings: true,
            ..text(r#"{"type":"session.update","session":{"instructions":"x"}}"#)
        },
        Sent {
            cuts: vec![10, 40, 41],
            pings: true,
            ..text(r#"{"type":"input_audio_buffer.append","audio":"DDDD"}"#)
        },
        text(r#"{"type":"nope"}"#),
        text(r#"{"type":"response.cancel"}"#),
    ];
    let bytes = frames(&sent);
    let (whole, taken, refused) = spliced(&bytes, || usize::MAX >> 1);
    assert_eq!((taken, refused), (Ok(()), 1));
    let (whole, pings) = without_pings(messages(whole));
    assert_eq!((whole.len(), pings), (4, 5));
    for cut in 1..bytes.len() {
        let mut first = true;
        let (onward, taken, _) = spliced(&bytes, || {
            if std::mem::take(&mut first) {
                cut
            } else {
                usize::MAX >> 1
            }
        });
        assert_eq!(taken, Ok(()), "{cut}");
        let (seen, _) = without_pings(messages(onward));
        assert!(
            seen.len() == whole.len() && seen.iter().zip(&whole).all(|(a, b)| same(a, b)),
            "{cut}"
        );
    }
    let (bytewise, taken, _) = spliced(&bytes, || 1);
    assert_eq!(taken, Ok(()));
    assert_eq!(without_pings(messages(bytewise)).0.len(), 4);
}

#[test]
fn audio_in_one_piece_goes_on_as_the_bytes_it_came_in() {
    let bytes = frames(&[
        text(r#"{"type":"input_audio_buffer.append","audio":"AAAA"}"#),
        text(r#"{"type":"input_audio_buffer.append","audio":"BBBB"}"#),
    ]);
    let mut splicer = Splicer::new(Side::Client, 1024, ClientJudge::new(guard()));
    let mut sink = Sink::default();
    splicer.take(&bytes, &mut sink, &mut || [0; 4]).unwrap();
    assert_eq!(sink.onward, [Part::Input(0..bytes.len())]);
}

#[test]
fn an_append_that_turns_into_something_else_is_never_completed() {
    let event = r#"{"type":"input_audio_buffer.append","audio":"AAAAAAAAAAAAAAAA","type":"session.update"}"#;
    let bytes = frames(&[text(event)]);
    // In one piece it is judged, and refused for its second type.
    let (onward, taken, refused) = spliced(&bytes, || usize::MAX >> 1);
    assert_eq!((onward.len(), taken, refused), (0, Ok(()), 1));
    // In pieces it has begun, and must not end.
    let (onward, taken, _) = spliced(&bytes, || 10);
    assert_eq!(taken, Err(Violation::Promise));
    assert_eq!(messages(onward), []);
}

#[test]
fn a_type_behind_too_much_is_refused_and_the_next_event_is_not() {
    let event = format!(
        "{{\"audio\":\"{}\",\"type\":\"input_audio_buffer.append\"}}",
        "A".repeat(5000)
    );
    let bytes = frames(&[text(&event), text(r#"{"type":"response.cancel"}"#)]);
    let mut splicer = Splicer::new(Side::Client, 1000, ClientJudge::new(guard()));
    let (mut onward, mut back) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(100) {
        let mut sink = Sink::default();
        splicer.take(piece, &mut sink, &mut || [0; 4]).unwrap();
        onward.extend(sink.joined(piece));
        back.extend(sink.back);
    }
    assert_eq!(messages(onward).len(), 1);
    assert_eq!(back.len(), 1);
    assert!(back[0].contains("event_too_large"));
}

#[test]
fn what_breaks_the_protocol_ends_it() {
    let key = Some([1, 2, 3, 4]);
    let cases: [(Vec<u8>, &str); 6] = [
        (Head::frame(true, Opcode::Text, None, b"{}"), "unmasked"),
        (
            Head::frame(true, Opcode::Continuation, key, b"{}"),
            "continues nothing",
        ),
        (
            [
                Head::frame(false, Opcode::Text, key, b"{"),
                Head::frame(true, Opcode::Text, key, b"}"),
            ]
            .concat(),
            "within another",
        ),
        (vec![0xc1, 0x80, 0, 0, 0, 0], "compressed"),
        (vec![0x83, 0x80, 0, 0, 0, 0], "unknown opcode"),
        (Head::frame(true, Opcode::Close, key, &[3]), "half a code"),
    ];
    for (bytes, case) in cases {
        let (_, taken, _) = spliced(&bytes, || 1);
        assert!(matches!(taken, Err(Violation::Protocol(_))), "{case}");
    }
}

#[test]
fn nothing_follows_a_close() {
    let key = Some([1, 2, 3, 4]);
    let close = crate::ws::Close::new(1000, "bye").payload();
    let bytes = [
        Head::frame(true, Opcode::Close, key, &close),
        Head::frame(true, Opcode::Text, key, br#"{"type":"response.cancel"}"#),
    ]
    .concat();
    let (onward, taken, _) = spliced(&bytes, || 5);
    assert_eq!(taken, Ok(()));
    let seen = messages(onward);
    assert!(matches!(&seen[..], [Message::Close(Some(frame))] if frame.reason == "bye"));
}
