//! An SDP answer that fits an offer. No media flows behind it.

use std::fmt::Write as _;

use crate::ids::Ids;

/// What an answer fills in that no offer can give.
pub(crate) struct Endpoint {
    pub(crate) session: u64,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) fingerprint: String,
}

impl Endpoint {
    /// Made-up ICE credentials and certificate fingerprint.
    pub(crate) fn new(ids: &Ids) -> Self {
        let digest = [ids.next().to_be_bytes(), ids.next().to_be_bytes()].concat();
        let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Self {
            session: (ids.next() >> 66) as u64,
            user: ids.short("")[..8].to_owned(),
            password: ids.short("sim"),
            fingerprint: pairs.join(":"),
        }
    }
}

/// Answers an offer section by section; `None` where it is no offer.
pub(crate) fn answer(offer: &str, endpoint: &Endpoint) -> Option<String> {
    let lines: Vec<_> = offer.lines().map(str::trim_end).collect();
    let first = lines.iter().position(|line| line.starts_with("m="))?;
    if lines.first() != Some(&"v=0") || !lines.iter().any(|line| line.starts_with("o=")) {
        return None;
    }
    let mut answer = session_part(&lines[..first], endpoint);
    for section in lines[first..].chunk_by(|_, next| !next.starts_with("m=")) {
        answer_section(&mut answer, section, endpoint)?;
    }
    Some(answer)
}

fn session_part(offered: &[&str], endpoint: &Endpoint) -> String {
    let mut part = format!(
        "v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
        endpoint.session
    );
    for line in offered
        .iter()
        .filter(|line| line.starts_with("a=group:BUNDLE"))
    {
        let _ = write!(part, "{line}\r\n");
    }
    part.push_str("a=msid-semantic: WMS *\r\na=ice-lite\r\n");
    part
}

fn answer_section(answer: &mut String, section: &[&str], endpoint: &Endpoint) -> Option<()> {
    let mut words = section
        .first()?
        .strip_prefix("m=")?
        .split_ascii_whitespace();
    let (kind, _port, protocol) = (words.next()?, words.next()?, words.next()?);
    let formats: Vec<_> = words.collect();
    let format = choose(kind, &formats, section)?;
    let port = if matches!(kind, "audio" | "application") {
        9
    } else {
        0
    };
    let mut line = |text: &str| {
        answer.push_str(text);
        answer.push_str("\r\n");
    };
    line(&format!("m={kind} {port} {protocol} {format}"));
    line("c=IN IP4 0.0.0.0");
    section
        .iter()
        .filter(|it| it.starts_with("a=mid:"))
        .for_each(|mid| line(mid));
    if port == 0 {
        return Some(());
    }
    line(&format!("a=ice-ufrag:{}", endpoint.user));
    line(&format!("a=ice-pwd:{}", endpoint.password));
    line(&format!("a=fingerprint:sha-256 {}", endpoint.fingerprint));
    line("a=setup:passive");
    line("a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host");
    line("a=end-of-candidates");
    if kind == "application" {
        line("a=sctp-port:5000");
        line("a=max-message-size:262144");
        return Some(());
    }
    line(direction(section));
    line("a=rtcp-mux");
    codec_lines(format, section).for_each(line);
    Some(())
}

/// Opus where it is offered, otherwise the first format.
fn choose<'a>(kind: &str, formats: &[&'a str], section: &[&str]) -> Option<&'a str> {
    let is_opus = |format: &&&str| {
        let prefix = format!("a=rtpmap:{format} opus/");
        section.iter().any(|line| line.starts_with(&prefix))
    };
    let opus = formats
        .iter()
        .find(|format| kind == "audio" && is_opus(format));
    opus.or(formats.first()).copied()
}

fn direction(section: &[&str]) -> &'static str {
    let offered = |direction: &str| section.contains(&direction);
    match () {
        () if offered("a=sendonly") => "a=recvonly",
        () if offered("a=recvonly") => "a=sendonly",
        () if offered("a=inactive") => "a=inactive",
        () => "a=sendrecv",
    }
}

fn codec_lines<'a>(format: &str, section: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let prefixes = ["rtpmap", "fmtp", "rtcp-fb"].map(|name| format!("a={name}:{format} "));
    let of_format = move |line: &&str| prefixes.iter().any(|prefix| line.starts_with(prefix));
    section.iter().copied().filter(of_format)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0 1 2\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 63 111\r\na=mid:0\r\na=sendonly\r\n\
        a=rtpmap:63 red/48000/2\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n\
        m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\na=sctp-port:5000\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n";

    fn endpoint() -> Endpoint {
        Endpoint::new(&Ids::new(Some(1)))
    }

    #[test]
    fn mirrors_the_sections_of_the_offer() {
        let answer = answer(OFFER, &endpoint()).unwrap();
        let media: Vec<_> = answer
            .lines()
            .filter(|line| line.starts_with("m="))
            .collect();
        assert_eq!(
            media,
            [
                "m=audio 9 UDP/TLS/RTP/SAVPF 111",
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                "m=video 0 UDP/TLS/RTP/SAVPF 96",
            ]
        );
        for line in [
            "a=group:BUNDLE 0 1 2",
            "a=recvonly",
            "a=fmtp:111 minptime=10",
            "a=mid:1",
        ] {
            assert!(answer.lines().any(|it| it == line), "{line} in {answer}");
        }
        assert!(
            answer
                .split_inclusive('\n')
                .all(|line| line.ends_with("\r\n"))
        );
    }

    #[test]
    fn refuses_what_is_no_offer() {
        for text in [
            "",
            "hello",
            "v=0\r\n",
            "v=0\r\no=-\r\nm=\r\n",
            "m=audio 9 x 0\r\nv=0\r\no=-",
        ] {
            assert_eq!(answer(text, &endpoint()), None, "{text:?}");
        }
    }
}
