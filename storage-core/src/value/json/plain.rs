//! [`plain`]: the part of a string that stands in JSON as it is.

/// Each byte of a word the same.
const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The lowest bit set at or before the first byte below a limit of at most 128, the top bit of that byte, as bytes come in little-endian
/// order. Bits above it say nothing.
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(every(limit)) & !word & every(0x80)
}

/// Without branches, so that the compiler looks at many bytes at once.
const fn is_special(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

/// How many bytes from the start on need no escape: neither quotes nor backslashes nor control characters. Most strings are nothing else,
/// so it looks at them by the block, and at eight bytes at a time where a block has something.
pub(super) fn plain(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<64>();
    let blocks = blocks
        .iter()
        .take_while(|block| !block.iter().fold(false, |found, byte| found | is_special(*byte)));
    let start = blocks.count() * 64;
    start + plain_by_words(&text[start..])
}

fn plain_by_words(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let special = below(word, 0x20) | below(word ^ every(b'"'), 1) | below(word ^ every(b'\\'), 1);
        if special != 0 {
            return at * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let start = text.len() - rest.len();
    start
        + rest
            .iter()
            .position(|byte| is_special(*byte))
            .unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn it_ends_at_the_first_byte_that_needs_an_escape_wherever_that_stands() {
        for length in (0..40).chain([64, 75, 103]) {
            for filling in [b'a', b' ', b'!', b'#', b'[', b']', 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
                let text = vec![filling; length];
                assert_eq!(plain(&text), length, "{filling}");
                for at in 0..length {
                    for special in (0..0x20).chain([b'"', b'\\']) {
                        let mut text = text.clone();
                        text[at] = special;
                        assert_eq!(plain(&text), at, "{special} at {at} of {length} times {filling}");
                        text[length - 1] = b'"';
                        assert_eq!(plain(&text), at);
                    }
                }
            }
        }
    }
}
