//! Milliseconds to RFC 3339 text in UTC and back, for the years 0000 to 9999.

const DAY: i64 = 86_400_000;
/// 0000-01-01T00:00:00.000Z
const FIRST: i64 = -62_167_219_200_000;
/// 9999-12-31T23:59:59.999Z
const LAST: i64 = 253_402_300_799_999;
/// Days from 0000-03-01, where the calendar's arithmetic begins, to 1970-01-01.
const EPOCH: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;

/// The text `YYYY-MM-DDTHH:MM:SS.mmmZ`, unless the year has no four digits.
pub(super) fn format(milliseconds: i64) -> Option<[u8; 24]> {
    if !(FIRST..=LAST).contains(&milliseconds) {
        return None;
    }
    let (year, month, day) = civil(milliseconds.div_euclid(DAY));
    let time = milliseconds.rem_euclid(DAY);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], time / 3_600_000);
    digits(&mut text[14..16], time / 60_000 % 60);
    digits(&mut text[17..19], time / 1000 % 60);
    digits(&mut text[20..23], time % 1000);
    Some(text)
}

/// Reads exactly what [`format`] writes.
pub(super) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 24 {
        return None;
    }
    let (year, month, day) = (
        number(&bytes[0..4])?,
        number(&bytes[5..7])?,
        number(&bytes[8..10])?,
    );
    let (hour, minute) = (number(&bytes[11..13])?, number(&bytes[14..16])?);
    let (second, millisecond) = (number(&bytes[17..19])?, number(&bytes[20..23])?);
    let time = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
    let milliseconds = days(year, month, day) * DAY + time;
    // Writing it again finds every wrong separator and everything the calendar does not have.
    (format(milliseconds)? == bytes).then_some(milliseconds)
}

/// The date of a day counted from 1970-01-01. Years begin in March here, so that leap days come last: see Howard Hinnant,
/// "chrono-compatible low-level date algorithms".
fn civil(days: i64) -> (i64, i64, i64) {
    let era = (days + EPOCH).div_euclid(ERA);
    let day_of_era = (days + EPOCH).rem_euclid(ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// The inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let march_month = (month + 9).rem_euclid(12);
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH
}

fn digits(out: &mut [u8], mut number: i64) {
    for digit in out.iter_mut().rev() {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a single digit
        let value = (number % 10) as u8;
        *digit = b'0' + value;
        number /= 10;
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(milliseconds: i64) -> Option<String> {
        format(milliseconds).map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn known_moments() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_709_208_000_007, "2024-02-29T12:00:00.007Z"),
            (FIRST, "0000-01-01T00:00:00.000Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(text(milliseconds).as_deref(), Some(expected));
            assert_eq!(parse(expected), Some(milliseconds));
        }
        for outside in [FIRST - 1, LAST + 1, i64::MIN, i64::MAX] {
            assert_eq!(format(outside), None);
        }
    }

    #[test]
    fn nothing_else_is_a_date() {
        for text in [
            "",
            "2023-02-29T12:00:00.000Z",
            "2024-13-01T00:00:00.000Z",
            "2024-00-10T00:00:00.000Z",
            "2024-01-01T24:00:00.000Z",
            "2024-01-01T00:00:60.000Z",
            "2024-01-01 00:00:00.000Z",
            "2024-01-01T00:00:00.000z",
            "2024-01-01T00:00:00Z",
            "+024-01-01T00:00:00.000Z",
            "9999-99-99T99:99:99.999Z",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_round_trips_and_agrees_with_the_bson_crate(milliseconds in FIRST..=LAST) {
            let text = text(milliseconds).unwrap();
            prop_assert_eq!(parse(&text), Some(milliseconds));
            prop_assert_eq!(bson::DateTime::parse_rfc3339_str(&text).unwrap().timestamp_millis(), milliseconds);
        }
    }
}
