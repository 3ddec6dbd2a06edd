//! How sizes, times and names are shown to people.

use storage_core::Timestamp;
use storage_core::bson::DateTime;

/// `482 bytes`, `1.5 MiB`.
#[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes == 1 {
        return "1 byte".into();
    }
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// RFC 3339 in UTC, or milliseconds where the year has no four digits.
pub(crate) fn time(time: Timestamp) -> String {
    let date = DateTime::from_millis(time.as_millis());
    date.try_to_rfc3339_string().unwrap_or_else(|_| time.to_string())
}

/// A name on one line of a terminal: control characters are escaped, so that a key cannot move the cursor.
pub(crate) fn name(text: &str) -> String {
    text.chars()
        .flat_map(|c| -> Box<dyn Iterator<Item = char>> {
            if c.is_control() {
                Box::new(c.escape_default())
            } else {
                Box::new(std::iter::once(c))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1536, "1.5 KiB"),
            (1 << 30, "1.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(name("a\u{1b}[2J\nü"), "a\\u{1b}[2J\\nü");
    }

    #[test]
    fn times_are_rfc_3339() {
        assert_eq!(time(Timestamp::from_millis(0)), "1970-01-01T00:00:00Z");
    }
}
