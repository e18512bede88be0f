//! Quiet hours: when a user does not want to be notified, by the hours of the configured zone.

use storage::Millis;

const HOUR: i64 = 3_600_000;

/// Whether a time lies within these hours, from the first to before the second. Equal hours are no hours; the span may go past midnight.
pub(super) fn within(now: Millis, offset_hours: i32, start: u32, end: u32) -> bool {
    let hour = (now.0.div_euclid(HOUR) + i64::from(offset_hours)).rem_euclid(24);
    let (start, end) = (i64::from(start % 24), i64::from(end % 24));
    if start <= end { (start..end).contains(&hour) } else { hour >= start || hour < end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Millis {
        Millis(19_000 * 24 * HOUR + hour * HOUR + 59 * 60_000)
    }

    #[test]
    fn hours_may_go_past_midnight() {
        let quiet = |start, end| (0..24).filter(|hour| within(at(*hour), 0, start, end)).collect::<Vec<_>>();
        assert_eq!(quiet(22, 2), [0, 1, 22, 23]);
        assert_eq!(quiet(9, 11), [9, 10]);
        assert_eq!(quiet(22, 24), [22, 23]);
        assert_eq!(quiet(0, 0), Vec::<i64>::new());
        assert_eq!(quiet(7, 7), Vec::<i64>::new());
    }

    #[test]
    fn hours_are_those_of_the_zone() {
        assert!(within(at(15), 8, 23, 24), "15:59 UTC is 23:59 in Beijing");
        assert!(within(at(3), -5, 22, 23));
    }
}
