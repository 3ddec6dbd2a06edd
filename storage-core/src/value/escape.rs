//! Any bytes as ASCII text that keeps their order, for parts of object names.
//!
//! Every character of the text is above `/`, so a name joined from such parts by `/` orders part by part, and listing by prefix never
//! meets a neighbour.
//!
//! | byte | text |
//! |---|---|
//! | 00–30 | `0` and two upper-case hex digits |
//! | 31–7D | itself |
//! | 7E–FF | `~` and two upper-case hex digits |

use crate::error::{Error, Result};

const LOW: u8 = b'0';
const HIGH: u8 = b'~';

/// The text of these bytes.
pub fn escape(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 2);
    for &byte in bytes {
        let mark = match byte {
            ..=LOW => LOW,
            HIGH.. => HIGH,
            _ => {
                text.push(char::from(byte));
                continue;
            }
        };
        for part in [mark, HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]] {
            text.push(char::from(part));
        }
    }
    text
}

/// The text of this string's UTF-8 bytes.
pub fn escape_str(text: &str) -> String {
    escape(text.as_bytes())
}

/// The bytes of a text that [`escape`] wrote.
///
/// # Errors
/// `Corrupt` for any other text, so that no two names stand for the same bytes.
pub fn unescape(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(character) = rest.next() {
        let byte = match character {
            LOW => hex(&mut rest).filter(|byte| *byte <= LOW),
            HIGH => hex(&mut rest).filter(|byte| *byte >= HIGH),
            b'1'..HIGH => Some(character),
            _ => None,
        };
        bytes.push(byte.ok_or_else(|| Error::corrupt(text, "the name was not written by this library"))?);
    }
    Ok(bytes)
}

fn hex(text: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let mut digit = || match text.next()? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    };
    Some(digit()? << 4 | digit()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn the_table_holds() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"abc", "abc"),
            (b"a/b", "a02Fb"),
            (b"0", "030"),
            (b"1", "1"),
            (b"}~", "}~7E"),
            (b"\x00\xFF", "000~FF"),
            ("é".as_bytes(), "~C3~A9"),
        ] {
            assert_eq!(escape(bytes), text);
            assert_eq!(unescape(text).unwrap(), bytes);
        }
    }

    #[test]
    fn only_canonical_text_is_read() {
        for text in ["/", "0", "00", "02f", "031", "~7D", "~FG", "~", "é", " ", "a\x7F"] {
            assert_eq!(unescape(text).unwrap_err().kind(), ErrorKind::Corrupt, "{text:?}");
        }
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let edge = prop_oneof![
            Just(0),
            Just(0x2F),
            Just(0x30),
            Just(0x31),
            Just(0x7D),
            Just(0x7E),
            Just(0x7F),
            Just(0xFF),
            any::<u8>()
        ];
        proptest::collection::vec(edge, 0..6)
    }

    proptest! {
        #[test]
        fn order_is_kept_also_before_a_separator(a in bytes(), b in bytes(), tail_a in bytes(), tail_b in bytes()) {
            prop_assert_eq!(escape(&a).cmp(&escape(&b)), a.cmp(&b));
            let joined = |head: &[u8], tail: &[u8]| format!("{}/{}", escape(head), escape(tail));
            prop_assert_eq!(joined(&a, &tail_a).cmp(&joined(&b, &tail_b)), (&a, &tail_a).cmp(&(&b, &tail_b)));
        }

        #[test]
        fn bytes_round_trip_through_characters_above_the_separator(bytes in bytes()) {
            let text = escape(&bytes);
            prop_assert!(text.bytes().all(|character| character > b'/' && character.is_ascii_graphic()));
            prop_assert_eq!(unescape(&text).unwrap(), bytes);
        }

        #[test]
        fn text_that_is_read_is_the_text_that_is_written(text in "[0-9A-Fa~}/]{0,8}") {
            if let Ok(bytes) = unescape(&text) {
                prop_assert_eq!(escape(&bytes), text);
            }
        }
    }
}
