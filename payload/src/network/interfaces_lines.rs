//! The lines of `/etc/network/interfaces`, and the commands in them.

/// Lines without comments, joined where they end with a backslash.
pub(super) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !is_open && (line.is_empty() || line.starts_with('#')) {
            continue;
        }
        let (line, goes_on) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match all.last_mut().filter(|_| is_open) {
            Some((_, last)) => last.push_str(line),
            None => all.push((index + 1, line.to_owned())),
        }
        is_open = goes_on;
    }
    all
}

/// Whether a command only spares or spends power, or does nothing.
pub(super) fn is_harmless(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let program = words.next().and_then(|it| it.rsplit('/').next()).unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    match program {
        _ if command.contains([';', '&', '|', '`', '$', '<', '>', '(', ')']) => false,
        "true" | ":" => true,
        "iw" => rest.contains(&"power_save") && rest.len() == 5,
        "iwconfig" => rest.len() == 3 && rest.get(1) == Some(&"power"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_on_after_a_backslash_and_comments_do_not() {
        let all = logical_lines("# a \\\nauto \\\n  eth0\n\n  # x\niface eth0 inet dhcp\n");
        let expected = [(2, "auto eth0"), (6, "iface eth0 inet dhcp")];
        assert_eq!(all, expected.map(|(at, line)| (at, line.to_owned())));
    }

    #[test]
    fn only_commands_that_switch_power_saving_are_harmless() {
        for command in
            ["/sbin/iw dev wlan0 set power_save off", "iwconfig wlan0 power off", "/bin/true"]
        {
            assert!(is_harmless(command), "{command}");
        }
        for command in ["/bin/true && login", "iw dev wlan0 connect x", "iptables -F", ""] {
            assert!(!is_harmless(command), "{command}");
        }
    }
}
