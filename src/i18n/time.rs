//! Times and durations as people read them; machines get seconds and RFC 3339.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Text, tr};

/// A duration in the unit that says enough, cut off.
pub fn span(seconds: i64) -> Text {
    match seconds {
        ..=119 => tr!("{seconds}s", seconds),
        120..=7199 => tr!("{minutes}min", minutes = seconds / 60),
        7200..=172_799 => tr!("{hours}h", hours = seconds / 3600),
        _ => tr!("{days} days", days = seconds / 86_400),
    }
}

/// A moment by the clock on the reader's wall; where nobody tells which that is, in UTC.
pub fn local(at: Timestamp) -> String {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn durations_are_told_in_the_unit_that_says_enough() {
        let table = "0 0s|119 119s|120 2min|7199 119min|7200 2h|172799 47h|172800 2 days|\
            9223372036854775807 106751991167300 days";
        for row in table.split('|') {
            let (seconds, words) = row.split_once(' ').expect(row);
            assert_eq!(super::span(seconds.parse().expect(row)), words);
        }
    }
}
