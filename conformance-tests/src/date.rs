//! Days as waivers write them.

use storage_core::Timestamp;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whether the day `YYYY-MM-DD` has begun, in UTC; `None` where the text is no such day.
pub(crate) fn is_past(day: &str, now: Timestamp) -> Option<bool> {
    let mut parts = day.split('-');
    let mut number = |length: usize| {
        let part = parts.next()?;
        (part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<i64>().ok())?
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    Some(now.as_millis() >= days_since_epoch(year, month, day) * DAY_MS)
}

/// Howard Hinnant's `days_from_civil`, for years after 0.
const fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_past_from_its_first_millisecond() {
        // 2024-02-29T00:00:00Z, by `date -u -d 2024-02-29 +%s`.
        let begins = 1_709_164_800_000;
        assert_eq!(is_past("2024-02-29", Timestamp::from_millis(begins)), Some(true));
        assert_eq!(
            is_past("2024-02-29", Timestamp::from_millis(begins - 1)),
            Some(false)
        );
        assert_eq!(is_past("1970-01-01", Timestamp::from_millis(0)), Some(true));
        for rubbish in [
            "",
            "2024",
            "2024-13-01",
            "2024-1-1",
            "2024-01-01-01",
            "x024-01-01",
        ] {
            assert_eq!(is_past(rubbish, Timestamp::from_millis(0)), None, "{rubbish:?}");
        }
    }
}
