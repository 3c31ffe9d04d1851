//! Showing text that someone else wrote.
//!
//! Templates escape what HTML would act upon. What is left are characters that
//! a reader would be misled by: controls, marks that turn the direction of
//! what follows, and those that can't be seen. They are written out.

/// Longest text in a row, in characters; the whole of it is in its title.
const SHORT: usize = 40;
/// Longest text shown at all, in characters.
const LONG: usize = 4096;

/// A text with every misleading character written out, and cut where nobody
/// would read on.
pub(crate) fn shown(text: &str) -> String {
    cut(text, LONG)
}

/// The same, cut to fit a row.
pub(crate) fn short(text: &str) -> String {
    cut(text, SHORT)
}

fn cut(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (count, character) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match misleads(character) {
            true => shown.extend(character.escape_unicode()),
            false => shown.push(character),
        }
    }
    shown
}

fn misleads(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A number with thin groups of three: 12 345.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Dollars and cents; small amounts to a hundredth of a cent.
pub(crate) fn dollars(amount: hallpass_core::money::NanoUsd) -> String {
    const CENT: u64 = 10_000_000;
    let (whole, rest) = (amount.0 / 1_000_000_000, amount.0 % 1_000_000_000);
    match amount.0 {
        0 => "$0.00".to_owned(),
        some if some < 100 * CENT => format!("${whole}.{:04}", rest / 100_000),
        _ => format!("${}.{:02}", grouped(whole), rest / CENT),
    }
}

/// One thing or several: "1 session", "2 sessions".
pub(crate) fn count(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {one}{end}", grouped(number))
}

#[cfg(test)]
mod tests {
    use hallpass_core::money::NanoUsd;

    use super::*;

    #[test]
    fn what_misleads_is_written_out_and_the_rest_stays() {
        assert_eq!(shown("a\u{202e}gpj.exe"), "a\\u{202e}gpj.exe");
        assert_eq!(
            shown("ze\u{200b}ro\r\n\u{1b}[31m"),
            "ze\\u{200b}ro\\u{d}\\u{a}\\u{1b}[31m"
        );
        assert_eq!(shown("<script>é日本 مرحبا"), "<script>é日本 مرحبا");
        assert_eq!(short(&"x".repeat(300)), format!("{}…", "x".repeat(SHORT)));
        assert_eq!(short(&"x".repeat(SHORT)), "x".repeat(SHORT));
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(dollars(NanoUsd(0)), "$0.00");
        assert_eq!(dollars(NanoUsd(12_345_000)), "$0.0123");
        assert_eq!(dollars(NanoUsd(1_234_567_000_000)), "$1,234.56");
        assert_eq!(count(1, "session"), "1 session");
        assert_eq!(count(0, "session"), "0 sessions");
    }
}
