//! Keys that cannot be carried as they are, as text of one segment that can. Order and prefixes are kept, and nearly the length.
//!
//! | character | text |
//! |---|---|
//! | U+0000–U+001F | `!` and one of 32 characters from `@` on |
//! | space to `x` | the same place among the characters from `"` to `}` without `.`, `/` and `\` |
//! | `y` to U+009F | `~` and one of 39 characters from `0` on |
//! | U+00A0–U+D7FE | itself |
//! | from U+D7FF on | U+D7FF and two characters of 12 bits each, from U+4E00 on |
//!
//! So no text has a slash, a control character, or a dot at its end, and none is beyond the characters that UTF-8 and UTF-16
//! order alike. A leading `k` keeps it from being empty.

const FIRST: char = 'k';
const LOW: char = '!';
const HIGH: char = '~';
const FAR: char = '\u{D7FF}';

/// The characters that stand for those from the space on.
const SHIFTED: &[u8] =
    b"\"#$%&'()*+,-0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}";

const FIRST_SHIFTED: u32 = ' ' as u32;
/// The first for which [`SHIFTED`] has no place.
const FIRST_HIGH: u32 = 'y' as u32;
const FIRST_ITSELF: u32 = 0xA0;
const FIRST_LOW_MARK: u32 = '@' as u32;
const FIRST_HIGH_MARK: u32 = '0' as u32;
const FIRST_FAR_MARK: u32 = 0x4E00;

/// The text for a key, or for the beginning of one.
pub(crate) fn encode(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 1);
    text.push(FIRST);
    for character in key.chars() {
        let code = u32::from(character);
        match code {
            ..FIRST_SHIFTED => text.extend([LOW, mark(FIRST_LOW_MARK + code)]),
            FIRST_SHIFTED..FIRST_HIGH => text.push(char::from(SHIFTED[(code - FIRST_SHIFTED) as usize])),
            FIRST_HIGH..FIRST_ITSELF => text.extend([HIGH, mark(FIRST_HIGH_MARK + code - FIRST_HIGH)]),
            _ if character < FAR => text.push(character),
            _ => text.extend([
                FAR,
                mark(FIRST_FAR_MARK + (code >> 12)),
                mark(FIRST_FAR_MARK + (code & 0xFFF)),
            ]),
        }
    }
    text
}

fn mark(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The key a text stands for; `None` for any text that [`encode`] does not write.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix(FIRST)?.chars();
    let mut key = String::with_capacity(text.len());
    while let Some(character) = rest.next() {
        let code = match character {
            LOW => u32::from(rest.next()?).checked_sub(FIRST_LOW_MARK)?,
            HIGH => FIRST_HIGH + u32::from(rest.next()?).checked_sub(FIRST_HIGH_MARK)?,
            FAR => {
                let high = u32::from(rest.next()?).checked_sub(FIRST_FAR_MARK)?;
                let low = u32::from(rest.next()?).checked_sub(FIRST_FAR_MARK)?;
                high.checked_mul(1 << 12)?.checked_add(low)?
            }
            _ => match SHIFTED
                .iter()
                .position(|shifted| char::from(*shifted) == character)
            {
                Some(place) => FIRST_SHIFTED + u32::try_from(place).ok()?,
                None => u32::from(character),
            },
        };
        key.push(char::from_u32(code)?);
    }
    // One text for one key: whatever else would read as it was not written here.
    (encode(&key) == text).then_some(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_holds() {
        for (key, text) in [
            ("", "k"),
            ("\u{0}\u{1F}", "k!@!_"),
            (" ./", "k\"23"),
            ("x", "k}"),
            ("y~\u{7F}\u{80}\u{9F}", "k~0~5~6~7~V"),
            ("\u{A0}é日", "k\u{A0}é日"),
        ] {
            assert_eq!(encode(key), text, "{key:?}");
            assert_eq!(decode(text).as_deref(), Some(key));
        }
    }

    #[test]
    fn only_what_is_written_is_read() {
        for text in [
            "",
            "a",
            "k!",
            "k!`",
            "k~",
            "k~W",
            "k.",
            "k/",
            "k\\",
            "k ",
            "k\u{E000}",
            "k\u{D7FF}",
            "k\u{7F}",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    fn key() -> impl Strategy<Value = String> {
        let edge = proptest::sample::select(vec![
            '\u{0}',
            '\u{1F}',
            ' ',
            '-',
            '.',
            '/',
            '0',
            '[',
            '\\',
            ']',
            'x',
            'y',
            '~',
            '\u{7F}',
            '\u{9F}',
            '\u{A0}',
            '\u{D7FE}',
            '\u{D7FF}',
            '\u{E000}',
            '\u{FFFF}',
            '\u{10000}',
            '\u{10FFFF}',
        ]);
        proptest::collection::vec(prop_oneof![edge, any::<char>()], 0..6)
            .prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn order_and_prefixes_are_kept(a in key(), b in key()) {
            prop_assert_eq!(encode(&a).cmp(&encode(&b)), a.cmp(&b));
            prop_assert_eq!(encode(&b).starts_with(&encode(&a)), b.starts_with(&a));
            let joined = [a.as_str(), &b].concat();
            prop_assert!(encode(&joined).starts_with(&encode(&a)));
        }

        #[test]
        fn any_key_is_carried_and_comes_back(key in key()) {
            let text = encode(&key);
            prop_assert!(!text.ends_with('.'));
            let carried = |character: char| {
                !character.is_control() && character <= '\u{D7FF}' && !matches!(character, '/' | '\\')
            };
            prop_assert!(text.chars().all(carried), "{:?}", text);
            let decoded = decode(&text);
            prop_assert_eq!(decoded, Some(key));
        }
    }
}
