//! The one place where words become text for a shell.

/// One word for any POSIX shell: in single quotes nothing is special, and a single quote itself is
/// written outside of them.
///
/// NUL cannot stand in a word of any command; see [`has_nul`].
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// True if a device would take the text for a shorter one than it is.
pub(crate) fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::process::Command;

    const NASTY: [&str; 24] = [
        "",
        " ",
        "plain",
        "two words",
        "'",
        "''",
        r"'\''",
        "it's",
        "\"",
        "\\",
        "\\'",
        "$HOME",
        "$(touch /tmp/never)",
        "`touch /tmp/never`",
        "${IFS}",
        "; reboot",
        "a && b || c | d & e > f < g",
        "*",
        "~root",
        "-rf",
        "--",
        "line\nline\n",
        "tab\tbell\x07cr\r",
        "äöü \u{1F600} !history #comment",
    ];

    /// What the shell makes of these words; it ends each with a NUL.
    fn words_seen(shell: &[&str], words: &[String]) -> Vec<String> {
        let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let line = format!("printf '%s\\0' {}", quoted.join(" "));
        let mut command = Command::new(shell[0]);
        let output = command.args(&shell[1..]).arg("-c").arg(line).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect()
    }

    #[test]
    fn every_shell_reads_back_every_word() {
        let single = NASTY.iter().map(|word| (*word).to_owned());
        let pairs = NASTY.iter().flat_map(|a| NASTY.iter().map(move |b| format!("{a}{b}")));
        let all_bytes = (1..=127).map(|byte: u8| char::from(byte).to_string());
        let words: Vec<String> = single.chain(pairs).chain(all_bytes).collect();
        for shell in [&["dash"][..], &["busybox", "sh"], &["bash"]] {
            assert_eq!(words_seen(shell, &words), words, "{shell:?}");
        }
    }

    #[test]
    fn a_word_quoted_twice_is_unquoted_by_two_shells() {
        for word in NASTY {
            let inner = format!("printf '%s\\0' {}", quote(word));
            let outer = format!("dash -c {}", quote(&inner));
            let output = Command::new("busybox").args(["sh", "-c", &outer]).output().unwrap();
            assert_eq!(output.stdout, format!("{word}\0").as_bytes());
        }
    }
}
