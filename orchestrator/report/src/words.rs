//! The words that all renderings share: numbers, lengths of time, colours, the shape of a line.

use crate::Style;
use migos_inventory::{DeviceId, fold};
use std::time::Duration;

/// What a colour says; the word beside it always says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It waits, or was put off.
    Wait,
    /// Just a heading.
    Plain,
}

impl Tone {
    /// The SGR parameters of ECMA-48: bold and a colour.
    fn code(self) -> &'static str {
        match self {
            Tone::Good => "1;32",
            Tone::Bad => "1;31",
            Tone::Wait => "1;33",
            Tone::Plain => "1",
        }
    }
}

/// The text in a colour, where colours are wanted.
pub(crate) fn paint(style: Style, tone: Tone, text: &str) -> String {
    if style.color { format!("\x1b[{}m{text}\x1b[0m", tone.code()) } else { text.to_owned() }
}

/// `    MIGRATED [  14m 02s] rest`: a right-aligned word, the time if there is one, and the rest.
pub(crate) fn line(
    style: Style,
    tone: Tone,
    word: &str,
    time: Option<Duration>,
    rest: &str,
) -> String {
    let word = paint(style, tone, &format!("{word:>12}"));
    match time {
        Some(time) => format!("{word} [{:>9}] {rest}", duration(time)),
        None => format!("{word} {rest}"),
    }
}

/// A length of time in two numbers at most: `2.0s`, `14m 02s`, `1h 05m`, `2d 03h`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds}.{}s", time.subsec_millis() / 100),
        60..3600 => format!("{minutes}m {:02}s", seconds % 60),
        3600..172_800 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// `1 device`, `4 devices`.
pub(crate) fn many(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Names folded, in at most so many columns: what does not fit is cut between two ranges.
pub(crate) fn short<'a>(devices: impl IntoIterator<Item = &'a DeviceId>, columns: usize) -> String {
    let whole = fold(devices);
    if whole.chars().count() <= columns {
        return whole;
    }
    let kept = whole.char_indices().take(columns.saturating_sub(2));
    let cut = kept.filter(|(_, c)| *c == ',').map(|(index, _)| index + 1).last();
    let cut = cut.unwrap_or_else(|| whole.find(',').map_or(whole.len(), |comma| comma + 1));
    let (kept, _) = whole.split_at(cut);
    let is_open = kept.rfind('[') > kept.rfind(']');
    format!("{kept}…{}", if is_open { "]" } else { "" })
}

/// The numbers that are not zero, in words: `4 migrated, 1 failed`; `nothing` if all are.
pub(crate) fn counts<const N: usize>(numbers: [(u32, &str); N]) -> String {
    let named = numbers.iter().filter(|(number, _)| *number > 0);
    let words: Vec<_> = named.map(|(number, word)| format!("{number} {word}")).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Text that came from a device or a server: one line, and nothing that a terminal obeys.
pub fn plain(text: &str) -> String {
    text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The text in lines of at most so many columns, broken between words; a longer word stays whole.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= columns {
            *line += &format!(" {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// The text in lines that fit the width, so far from the left; what goes on in another line stands two columns further.
pub(crate) fn paragraph(style: Style, indent: usize, text: &str) -> String {
    // Every line is broken as if it were indented like those that go on.
    let room = usize::from(style.width).saturating_sub(indent + 2).max(30);
    let line = |(index, line): (usize, String)| {
        let more = if index == 0 { 0 } else { 2 };
        format!("{:width$}{line}\n", "", width = indent + more)
    };
    wrapped(text, room).into_iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrapped("one by one immediately", 7), ["one by", "one", "immediately"]);
        assert_eq!(wrapped("", 7), [""]);
    }

    #[test]
    fn names_are_cut_between_ranges() {
        let names = ["a-1", "a-2", "a-4", "a-6", "b"];
        let ids: Vec<DeviceId> =
            names.iter().filter_map(|name| DeviceId::new(*name).ok()).collect();
        let cut = |columns| short(&ids, columns);
        assert_eq!(cut(40), "a-[1-2,4,6], b");
        assert_eq!([cut(12), cut(9), cut(3)], ["a-[1-2,4,…]", "a-[1-2,…]", "a-[1-2,…]"]);
    }

    #[test]
    fn times_have_two_numbers_at_most() {
        let shown = [2_040, 59_990, 60_000, 842_000, 3_900_000, 183_600_000]
            .map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(shown, ["2.0s", "59.9s", "1m 00s", "14m 02s", "1h 05m", "2d 03h"]);
    }

    #[test]
    fn a_line_reads_the_same_without_its_colour() {
        let time = Some(Duration::from_secs(842));
        let shown =
            |color| line(Style { color, width: 80 }, Tone::Good, "MIGRATED", time, "kiosk-003");
        assert_eq!(shown(false), "    MIGRATED [  14m 02s] kiosk-003");
        assert_eq!(shown(true), "\u{1b}[1;32m    MIGRATED\u{1b}[0m [  14m 02s] kiosk-003");
    }

    #[test]
    fn what_a_device_says_cannot_steer_the_terminal() {
        assert_eq!(plain("no space\nleft \x1b[2Jhere\n"), "no space left  [2Jhere");
    }
}
