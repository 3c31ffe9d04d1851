//! Strings that a program puts together from pieces: literals joined by `+`,
//! lists joined by nothing or by a sign, literals within templates.

mod glue;

use std::ops::Range;

use self::glue::Glue;
use crate::charset::{is_key_byte, run_end, run_start};

/// Longest literal, in bytes.
const LITERAL: usize = 16 * 1024;
/// Bytes of space and line breaks between pieces.
const SPACE: usize = 256;
/// Longest text that a list is joined by.
const BETWEEN: usize = 4;

/// A quote and the number of backslashes before it: one within a string that
/// holds a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quote {
    mark: u8,
    slashes: usize,
}

/// Pieces put together.
#[derive(Debug)]
pub(crate) struct Folded {
    pub(crate) span: Range<usize>,
    pub(crate) text: Vec<u8>,
    /// Bytes that were looked at.
    pub(crate) cost: usize,
}

/// The chain of literals around a `+` at `plus`, when one stands on each side.
pub(crate) fn sum(text: &[u8], plus: usize) -> Option<Folded> {
    let close = back_over_space(text, plus);
    let quote = quote_before(text, close)?;
    quote_at(text, over_space(text, plus + 1))?;
    let start = literal_before(text, close, quote)?;
    chain(text, start, b"", |text, at| {
        let at = over_space(text, at);
        (text.get(at) == Some(&b'+')).then(|| over_space(text, at + 1))
    })
}

/// The list of literals that `.join` at `dot` puts together.
pub(crate) fn joined(text: &[u8], dot: usize) -> Option<Folded> {
    let open = dot + b".join(".len();
    let argument = quote_at(text, over_space(text, open))?;
    let (between, _) = literal(text, over_space(text, open), argument)?;
    if between.len() > BETWEEN {
        return None;
    }
    let bracket = back_over_space(text, dot).checked_sub(1)?;
    (text.get(bracket) == Some(&b']')).then_some(())?;
    let mut at = back_over_space(text, bracket);
    if at.checked_sub(1).is_some_and(|comma| text[comma] == b',') {
        at = back_over_space(text, at - 1);
    }
    let mut cost = 0;
    while cost < LITERAL {
        let before = at;
        at = match quote_before(text, at) {
            Some(quote) => literal_before(text, at, quote)?,
            None => return None,
        };
        let first = at;
        at = back_over_space(text, at);
        cost += before - at;
        match at.checked_sub(1).map(|before| text[before]) {
            Some(b',') => at = back_over_space(text, at - 1),
            Some(b'[') => return chain(text, first, between, comma),
            _ => return None,
        }
    }
    None
}

/// The literals that `.concat(` at `dot` puts after another.
pub(crate) fn concatenated(text: &[u8], dot: usize) -> Option<Folded> {
    let quote = quote_before(text, back_over_space(text, dot))?;
    let start = literal_before(text, back_over_space(text, dot), quote)?;
    let end = back_over_space(text, dot);
    let (first, _) = literal(text, start, quote)?;
    let arguments = over_space(text, dot + b".concat(".len());
    let rest = chain(text, arguments, b"", comma)?;
    let whole = [first, &rest.text].concat();
    Some(Folded {
        span: start..rest.span.end,
        text: whole,
        cost: end - start + rest.cost,
    })
}

/// The text around a literal within a template, `a${"b"}c`, whose `$` is at
/// `dollar`.
pub(crate) fn template(text: &[u8], dollar: usize) -> Option<Folded> {
    let start = run_start(text, dollar, LITERAL, is_key_byte);
    let mut whole = text.get(start..dollar)?.to_vec();
    let mut at = dollar;
    while text.get(at..).is_some_and(|rest| rest.starts_with(b"${")) && at - start < LITERAL {
        let open = over_space(text, at + 2);
        let Some((piece, end)) = quote_at(text, open).and_then(|quote| literal(text, open, quote))
        else {
            break;
        };
        let close = over_space(text, end);
        if text.get(close) != Some(&b'}') {
            break;
        }
        whole.extend_from_slice(piece);
        let run = run_end(text, close + 1, LITERAL, is_key_byte);
        whole.extend_from_slice(text.get(close + 1..run)?);
        at = run;
    }
    (at > dollar).then_some(Folded {
        span: start..at,
        text: whole,
        cost: at - start,
    })
}

fn comma(text: &[u8], at: usize) -> Option<usize> {
    let at = over_space(text, at);
    (text.get(at) == Some(&b',')).then(|| over_space(text, at + 1))
}

/// Literals from `start` on, as long as `next` leads from one to another, with
/// a text between each two.
fn chain(
    text: &[u8],
    start: usize,
    between: &[u8],
    next: impl Fn(&[u8], usize) -> Option<usize>,
) -> Option<Folded> {
    let mut whole = Vec::new();
    let mut at = start;
    let mut end = start;
    while let Some((piece, after)) = quote_at(text, at).and_then(|quote| literal(text, at, quote)) {
        if end > start {
            whole.extend_from_slice(between);
        }
        whole.extend_from_slice(piece);
        end = after;
        match next(text, after) {
            Some(following) => at = following,
            None => break,
        }
    }
    (end > start).then_some(Folded {
        span: start..end,
        text: whole,
        cost: end - start,
    })
}

/// The content of the literal that opens at `at`, and where it ends.
fn literal(text: &[u8], at: usize, quote: Quote) -> Option<(&[u8], usize)> {
    let open = at + quote.slashes + 1;
    let last = text.len().min(open + LITERAL);
    let inside = text.get(open..last)?;
    for found in memchr::memchr_iter(quote.mark, inside) {
        let slashes = found - run_start(inside, found, 8, |byte| byte == b'\\');
        if quote.closes(slashes) {
            return Some((&inside[..found - quote.slashes], open + found + 1));
        }
    }
    None
}

/// Where the literal opens that closes just before `end`.
fn literal_before(text: &[u8], end: usize, quote: Quote) -> Option<usize> {
    let close = end.checked_sub(1 + quote.slashes)?;
    let first = close.saturating_sub(LITERAL);
    let inside = text.get(first..close)?;
    for found in memchr::memrchr_iter(quote.mark, inside) {
        let at = first + found;
        let slashes = at - run_start(text, at, 8, |byte| byte == b'\\');
        if quote.slashes == slashes {
            return Some(at - slashes);
        }
    }
    None
}

impl Quote {
    /// Whether a mark after so many backslashes ends the literal.
    const fn closes(self, slashes: usize) -> bool {
        if self.slashes == 0 {
            slashes.is_multiple_of(2)
        } else {
            slashes == self.slashes
        }
    }
}

fn quote_at(text: &[u8], at: usize) -> Option<Quote> {
    let slashes = run_end(text, at, 4, |byte| byte == b'\\') - at;
    let mark = *text.get(at + slashes)?;
    matches!(mark, b'"' | b'\'' | b'`').then_some(Quote { mark, slashes })
}

fn quote_before(text: &[u8], end: usize) -> Option<Quote> {
    let at = end.checked_sub(1)?;
    let mark = *text.get(at)?;
    let slashes = at - run_start(text, at, 4, |byte| byte == b'\\');
    matches!(mark, b'"' | b'\'' | b'`').then_some(Quote { mark, slashes })
}

fn over_space(text: &[u8], at: usize) -> usize {
    run_end(text, at, SPACE, |byte| byte.is_ascii_whitespace())
}

fn back_over_space(text: &[u8], at: usize) -> usize {
    run_start(text, at, SPACE, |byte| byte.is_ascii_whitespace())
}

/// The literal that opens at the quote `mark` and what the program glues to it:
/// by an operator of any language, by standing beside it, by a method, over
/// comments, brackets and broken lines.
pub(crate) fn glued(text: &[u8], mark: usize) -> Option<Folded> {
    let quote = quote_before(text, mark + 1)?;
    let start = mark - quote.slashes;
    let mut glue = Glue::default();
    let mut whole = Vec::new();
    let mut pieces = 0;
    let mut at = start;
    let mut end = start;
    while end - start < LITERAL
        && let Some((piece, after)) = quote_at(text, at).and_then(|quote| literal(text, at, quote))
    {
        push_unbroken(&mut whole, piece);
        pieces += 1;
        end = after;
        match glue.over(text, after) {
            Some(next) => at = next,
            None => break,
        }
    }
    let is_broken = whole.len() + 2 * (quote.slashes + 1) < end - start;
    (pieces > 1 || is_broken).then_some(Folded {
        span: start..end,
        text: whole,
        cost: end - start,
    })
}

/// A literal's content without the line breaks that a backslash hides.
fn push_unbroken(whole: &mut Vec<u8>, piece: &[u8]) {
    let mut rest = piece;
    while let Some(at) = memchr::memmem::find(rest, b"\\") {
        let (before, after) = rest.split_at(at);
        whole.extend_from_slice(before);
        let broken = after
            .strip_prefix(b"\\\r\n")
            .or_else(|| after.strip_prefix(b"\\\n"));
        rest = match broken {
            Some(rest) => rest,
            None => {
                whole.extend_from_slice(&after[..after.len().min(2)]);
                &after[after.len().min(2)..]
            }
        };
    }
    whole.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use memchr::memmem;

    use super::*;

    fn folded(
        text: &str,
        at: &str,
        fold: impl Fn(&[u8], usize) -> Option<Folded>,
    ) -> Option<String> {
        let at = memmem::find(text.as_bytes(), at.as_bytes()).unwrap();
        let text = fold(text.as_bytes(), at)?.text;
        Some(String::from_utf8(text).unwrap())
    }

    #[test]
    fn sums_of_literals_are_put_together() {
        assert_eq!(
            folded(r#"x="ab"+'cd' + `ef`;"#, "+", sum).unwrap(),
            "abcdef"
        );
        assert_eq!(folded("f(\"ab\" +\n  \"cd\")", "+", sum).unwrap(), "abcd");
        assert_eq!(
            folded(r#"eval("x=\"ab\"+\"cd\"")"#, "+", sum).unwrap(),
            "abcd"
        );
        assert_eq!(folded(r#""a\"b"+"c""#, "+", sum).unwrap(), r#"a\"bc"#);
        assert_eq!(folded(r#""ab"+cd"#, "+", sum), None);
        assert_eq!(folded(r#"ab+"cd""#, "+", sum), None);
    }

    #[test]
    fn lists_joined_by_nothing_are_put_together() {
        assert_eq!(
            folded(r#"["ab", 'cd',"ef"].join("")"#, ".join", joined).unwrap(),
            "abcdef"
        );
        assert_eq!(
            folded(r#"[ "ab" ] .join('')"#, ".join", joined).unwrap(),
            "ab"
        );
        assert_eq!(
            folded(r#"["ab","cd",].join("-")"#, ".join", joined).unwrap(),
            "ab-cd"
        );
        assert_eq!(
            folded(r#"["ab","cd"].join("a long text")"#, ".join", joined),
            None
        );
        assert_eq!(folded(r#"[x,"cd"].join("")"#, ".join", joined), None);
    }

    #[test]
    fn literals_are_glued_in_any_language() {
        for text in [
            r#"("ab" + 'cd') + "ef""#,
            "\"ab\" + // one\n \"cd\" /* two */ + `ef`",
            "('ab'\n    \"cd\"  # three\n    'ef')",
            r#"'ab' . "cd".'ef'"#,
            r#""ab" .. "cd" .. 'ef'"#,
            r#""ab".concat("cd").concat('ef')"#,
            r#""ab".concat("cd", "ef")"#,
            "\"abc\\\nde\\\r\nf\"",
            r#"x=\"ab\"+\"cd\" + \"ef\";"#,
        ] {
            let mark = text.find(['"', '\'']).unwrap();
            let folded = glued(text.as_bytes(), mark).unwrap();
            assert_eq!(folded.text, b"abcdef", "{text}");
        }
        for text in [
            r#""ab", "cd""#,
            r#""ab": "cd""#,
            r#""ab" + cd"#,
            r#""a\"b""#,
            "\"ab\"\nx = \"cd\"",
        ] {
            assert!(glued(text.as_bytes(), 0).is_none(), "{text}");
        }
    }

    #[test]
    fn templates_and_concat_are_put_together() {
        assert_eq!(
            folded(r#"`ab${"cd"}ef${'gh'}`"#, "$", template).unwrap(),
            "abcdefgh"
        );
        assert_eq!(folded(r"`ab${x}ef`", "$", template), None);
        assert_eq!(
            folded(r#""ab".concat("cd","ef")"#, ".concat", concatenated).unwrap(),
            "abcdef"
        );
    }
}
