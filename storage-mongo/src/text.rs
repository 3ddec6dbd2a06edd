//! Ranges of texts in the order of their bytes.

/// The least text greater than every one that begins with `prefix`; `None` where there is none.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut rest = prefix;
    while let Some(last) = rest.chars().next_back() {
        rest = &rest[..rest.len() - last.len_utf8()];
        // The order of scalar values is that of their UTF-8 bytes; between the two are the surrogates, which are no characters.
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            let mut after = rest.to_owned();
            after.push(next);
            return Some(after);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_begins_with_the_prefix_is_after_it_and_nothing_else_before() {
        for (prefix, after) in [
            ("a", Some("b")),
            ("a/", Some("a0")),
            ("az", Some("a{")),
            ("\u{7f}", Some("\u{80}")),
            ("é", Some("ê")),
            ("\u{D7FF}", Some("\u{E000}")),
            ("a\u{10FFFF}", Some("b")),
            ("\u{10FFFF}", None),
            ("", None),
        ] {
            assert_eq!(after_prefix(prefix).as_deref(), after, "{prefix:?}");
            if let Some(after) = after {
                assert!(format!("{prefix}\u{10FFFF}").as_str() < after, "{prefix:?}");
            }
        }
    }
}
