//! Arguments for `ssh`, as Ansible's variables and `ansible.cfg` have them.

use super::keyword::{self, Taken};
use super::way::{Way, hops};
use super::words::split;

/// An argument for `ssh` that means nothing here, as it is written.
pub type Ignored = String;

/// Options of `ssh` that have a value; those that mean something here are read, the others passed over with it.
const WITH_VALUE: &str = "BbcDEeFIiJLlmOoPpQRSWw";

impl Way {
    /// Reads arguments for `ssh`, and gives what of them is ignored although it may matter.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn from_ssh_args(text: &str) -> Result<(Way, Vec<Ignored>), String> {
        let words = split(text, false).ok_or("a quote is not closed")?;
        let mut way = Way::default();
        let ignored = take_options(&mut way, &words)?;
        if let (Some(command), None) = (&way.proxy_command, &way.jump)
            && let Some(hop) = jump_of(command)
        {
            way.jump = Some(vec![hop]);
            way.proxy_command = None;
        }
        Ok((way, ignored))
    }
}

/// A command that does nothing but to go through a host on the way, as that host: `ssh -W %h:%p user@host`.
pub(super) fn jump_of(command: &str) -> Option<Way> {
    let words = split(command, false)?;
    let (program, mut words) = words.split_first().map(|(first, rest)| (first, rest.to_vec()))?;
    if program.rsplit('/').next() != Some("ssh") {
        return None;
    }
    let stdio = words.iter().position(|word| word == "-W")?;
    if !matches!(words.get(stdio + 1)?.as_str(), "%h:%p" | "[%h]:%p") {
        return None;
    }
    words.drain(stdio..stdio + 2);
    let quiet = |word: &String| word == "-q" || word == "-T" || word == "-x";
    words.retain(|word| !quiet(word));
    // The host may stand before, between or behind the options.
    let place = host_place(&words)?;
    let host = words.remove(place);
    let mut way = Way::default();
    if !take_options(&mut way, &words).ok()?.is_empty() {
        return None;
    }
    let [hop] = <[Way; 1]>::try_from(hops(&host).ok()?).ok()?;
    Some(hop.or(way))
}

fn host_place(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.strip_prefix('-') {
            None => return Some(at),
            Some(option) if option.len() == 1 && WITH_VALUE.contains(option) => at += 2,
            Some(_) => at += 1,
        }
    }
    None
}

fn take_options(way: &mut Way, words: &[String]) -> Result<Vec<Ignored>, String> {
    let mut ignored = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(letter) = word.strip_prefix('-').and_then(|option| option.chars().next()) else {
            return Err(format!("{word:?} is no option of ssh"));
        };
        if !WITH_VALUE.contains(letter) {
            // Switches such as -q, -4, -C: only how it is said, not to whom.
            continue;
        }
        let value = match word.get(2..).filter(|value| !value.is_empty()) {
            Some(value) => value,
            None => words.next().ok_or_else(|| format!("`-{letter}` has no value"))?,
        };
        let bad = || Err(format!("`-{letter} {value}` cannot be understood"));
        let taken = match letter {
            'o' => take_keyword(way, value, &mut ignored),
            'J' => keyword::take(way, "proxyjump", &[value.to_owned()], value),
            'i' => keyword::take(way, "identityfile", &[value.to_owned()], value),
            'p' => keyword::take(way, "port", &[value.to_owned()], value),
            'l' => keyword::take(way, "user", &[value.to_owned()], value),
            'F' if value == "none" || value == "/dev/null" => {
                way.config = Some(false);
                Taken::Yes
            }
            _ => {
                ignored.push(format!("-{letter} {value}"));
                Taken::Yes
            }
        };
        if taken == Taken::BadValue {
            return bad();
        }
    }
    Ok(ignored)
}

fn take_keyword(way: &mut Way, option: &str, ignored: &mut Vec<Ignored>) -> Taken {
    let end = option.find(|c: char| c == '=' || c.is_ascii_whitespace());
    let Some((name, value)) = end.map(|end| option.split_at(end)) else { return Taken::BadValue };
    let value = value.trim_start_matches(|c: char| c == '=' || c.is_ascii_whitespace());
    let name = name.trim().to_ascii_lowercase();
    let Some(words) = split(value, false) else { return Taken::BadValue };
    let taken = keyword::take(way, &name, &words, value);
    if taken == Taken::Unknown {
        if !keyword::is_harmless(&name) {
            ignored.push(format!("-o {option}"));
        }
        return Taken::Yes;
    }
    taken
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(args: &str) -> String {
        match Way::from_ssh_args(args) {
            Ok((way, ignored)) => {
                let way = serde_yaml::to_string(&way).unwrap();
                format!("{way}ignored: {}", ignored.join(", "))
            }
            Err(error) => error,
        }
    }

    #[test]
    fn what_means_something_here_is_read() {
        insta::assert_snapshot!(told(
            "-C -o ControlMaster=auto -oControlPersist=60s -o StrictHostKeyChecking=no \
             -o 'UserKnownHostsFile /dev/null' -i ~/.ssh/fleet -p2222 -l admin -J ops@b.example:2200,c -o Foo=1 -D 99"
        ), @r###"
        port: 2222
        user: admin
        identities:
        - ~/.ssh/fleet
        jump:
        - host: b.example
          port: 2200
          user: ops
        - host: c
        known_hosts: /dev/null
        host_keys: accept-new
        ignored: -o Foo=1, -D 99
        "###);
    }

    #[test]
    fn a_command_that_only_goes_through_a_host_is_a_jump() {
        for command in [
            "ssh -W %h:%p ops@b.example",
            "ssh -q -W %h:%p -i ~/.ssh/b -p 2200 ops@b.example",
            "/usr/bin/ssh ops@b.example -W [%h]:%p",
        ] {
            let (way, _) = Way::from_ssh_args(&format!("-o ProxyCommand=\"{command}\"")).unwrap();
            let hop = &way.jump.unwrap()[0];
            assert_eq!(hop.host.as_deref(), Some("b.example"), "{command}");
            assert_eq!(hop.user.as_deref(), Some("ops"), "{command}");
            assert_eq!(way.proxy_command, None);
        }
        for command in ["nc -X 5 %h %p", "ssh -W %h:%p -D 5 b", "ssh b nc %h %p", "ssh -W %h:22 b"]
        {
            let (way, _) = Way::from_ssh_args(&format!("-o ProxyCommand=\"{command}\"")).unwrap();
            assert_eq!((way.jump, way.proxy_command.as_deref()), (None, Some(command)));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let told = ["-p x", "-o", "host", "-o 'x", "-J @", "-o Port=0"].map(told);
        insta::assert_snapshot!(told.join("\n"), @r###"
        `-p x` cannot be understood
        `-o` has no value
        "host" is no option of ssh
        a quote is not closed
        `-J @` cannot be understood
        `-o Port=0` cannot be understood
        "###);
    }
}
