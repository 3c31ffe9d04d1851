//! An event as one line of JSON.
//!
//! There is one such line for each request, so it is written straight into the
//! subscriber's buffer: no map, no value type, no allocation.

use std::fmt::{self, Write};

use jiff::{
    Timestamp,
    fmt::{StdFmtWrite, temporal::DateTimePrinter},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::traces;

const MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Writes `{"timestamp":…,"level":…,<the event's fields>}` and a line feed.
pub(crate) struct JsonLines {
    /// Tells the time of a line.
    pub(crate) now: fn() -> Timestamp,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("{\"timestamp\":\"")?;
        MICROSECONDS
            .print_timestamp(&(self.now)(), StdFmtWrite(&mut writer))
            .map_err(|_| fmt::Error)?;
        writer.write_str("\",\"level\":\"")?;
        writer.write_str(event.metadata().level().as_str())?;
        writer.write_char('"')?;
        let mut members = Members {
            writer: &mut writer,
            result: Ok(()),
        };
        event.record(&mut members);
        members.result?;
        // A request's own line is written when its span is over, and names it itself.
        if let Some((trace_id, span_id)) = traces::ids() {
            write!(
                writer,
                ",\"trace_id\":\"{trace_id}\",\"span_id\":\"{span_id}\""
            )?;
        }
        writer.write_str("}\n")
    }
}

/// Writes fields as members, and remembers the first failure.
struct Members<'a, 'w> {
    writer: &'a mut Writer<'w>,
    result: fmt::Result,
}

impl Members<'_, '_> {
    /// `before` stands between name and value.
    fn member(
        &mut self,
        field: &Field,
        before: &str,
        value: impl FnOnce(&mut Writer<'_>) -> fmt::Result,
    ) {
        if self.result.is_err() {
            return;
        }
        self.result = [",\"", field.name(), before]
            .into_iter()
            .try_for_each(|part| self.writer.write_str(part))
            .and_then(|()| value(self.writer));
    }

    /// A value that is written as it is.
    fn bare(&mut self, field: &Field, value: &str) {
        self.member(field, "\":", |writer| writer.write_str(value));
    }

    fn text(&mut self, field: &Field, text: impl FnOnce(&mut Escaped<'_, '_>) -> fmt::Result) {
        self.member(field, "\":\"", |writer| {
            text(&mut Escaped(writer))?;
            writer.write_str("\"")
        });
    }
}

impl Visit for Members<'_, '_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match value.is_finite() {
            true => self.bare(field, zmij::Buffer::new().format_finite(value)),
            false => self.bare(field, "null"),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, itoa::Buffer::new().format(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, itoa::Buffer::new().format(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, if value { "true" } else { "false" });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, |escaped| escaped.write_str(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, |escaped| write!(escaped, "{value:?}"));
    }
}

/// Writes text so that it stays within its quotes and on its line.
struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_plain(text.as_bytes()) {
            return self.0.write_str(text);
        }
        let mut kept = 0;
        for (at, character) in text
            .char_indices()
            .filter(|(_, character)| must_escape(*character))
        {
            self.0.write_str(&text[kept..at])?;
            write!(self.0, "\\u{:04x}", u32::from(character))?;
            kept = at + character.len_utf8();
        }
        self.0.write_str(&text[kept..])
    }
}

/// Whether there is nothing to escape.
///
/// In blocks without an early end, so that their bytes are looked at at once.
fn is_plain(bytes: &[u8]) -> bool {
    let plain = |byte: &u8| (b' '..=b'~').contains(byte) & (*byte != b'"') & (*byte != b'\\');
    let (blocks, rest) = bytes.as_chunks::<8>();
    let all = |block: &[u8; 8]| block.iter().fold(true, |all, byte| all & plain(byte));
    blocks.iter().all(all) && rest.iter().all(plain)
}

/// Quotes, controls, and what some readers take for a line's end or turn the
/// direction of a line with.
const fn must_escape(character: char) -> bool {
    matches!(
        character,
        '"' | '\\' | '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Page {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    pub(crate) fn logged(emit: impl FnOnce()) -> String {
        let page = Page::default();
        let subscriber = tracing_subscriber::fmt()
            .event_format(JsonLines {
                now: || Timestamp::UNIX_EPOCH,
            })
            .with_writer(page.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, emit);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_kind_of_field_is_a_member() {
        let absent: Option<&str> = None;
        let line = logged(|| {
            tracing::info!(status = 201_u16, duration_ms = 1.25, caller = "user-1", absent, ok = true, back = -1, shown = %"x", "request");
        });
        let rest = line.split_once("\",\"level\"").unwrap().1;
        assert_eq!(
            rest,
            ":\"INFO\",\"message\":\"request\",\"status\":201,\"duration_ms\":1.25,\"caller\":\"user-1\",\"ok\":true,\"back\":-1,\"shown\":\"x\"}\n"
        );
    }

    #[test]
    fn hostile_text_stays_on_its_line_and_in_its_member() {
        let hostile = "a\"}\r\n{\"b\":\\\u{1b}[31m\0\u{2028}\u{202e}é";
        let line = logged(|| tracing::warn!(user_agent = hostile, "request"));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.ends_with("\"user_agent\":\"a\\u0022}\\u000d\\u000a{\\u0022b\\u0022:\\u005c\\u001b[31m\\u0000\\u2028\\u202eé\"}\n"), "{line}");
    }
}
