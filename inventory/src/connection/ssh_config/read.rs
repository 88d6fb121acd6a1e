//! Reads the text of an ssh_config, and of the files that it includes.

use super::{Criterion, Line, Set, SshConfig};
use crate::connection::keyword::{self, Taken};
use crate::connection::way::Way;
use crate::connection::words::split;
use crate::problem::{Place, Problem, Report};
use crate::yaml::{KeyPath, plain};

/// As deep as ssh itself goes (readconf.c, READCONF_MAX_DEPTH).
const DEEPEST: usize = 16;

/// More files than this come only from files that include themselves.
const MOST_FILES: usize = 1000;

/// A file that an `Include` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Included {
    /// Its name, for messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Gives the files that the pattern of an `Include` means, in order.
type Find<'a> = &'a dyn Fn(&str) -> Vec<Included>;

impl SshConfig {
    /// Reads the text of one. `user` is the user here; `find` gives the files that an `Include` means.
    pub fn parse(name: &str, text: &str, user: Option<String>, find: Find<'_>) -> Self {
        let mut remarks = Vec::new();
        let lines = Reader { find, files: 0, remarks: &mut remarks }.file(name, text, 0);
        SshConfig { lines, remarks, user }
    }

    /// One that says nothing but who the user here is.
    pub fn silent(user: Option<String>) -> Self {
        SshConfig { user, ..SshConfig::default() }
    }
}

struct Reader<'a> {
    find: Find<'a>,
    /// How many were included so far.
    files: usize,
    remarks: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn file(&mut self, name: &str, text: &str, depth: usize) -> Vec<Line> {
        let mut report = Report::new(name);
        let mut lines = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let indent = text.chars().take_while(|c| c.is_whitespace()).count();
            let place = Place { line: index + 1, column: indent + 1 };
            let file = report.file();
            let mut remark = |message: String| report.add(place, &KeyPath::root(), message);
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let end = text.find(|c: char| c == '=' || c.is_ascii_whitespace());
            let (keyword, whole) = text.split_at(end.unwrap_or(text.len()));
            let keyword = keyword.trim_matches('"').to_ascii_lowercase();
            let whole = whole.trim_start();
            let whole = whole.strip_prefix('=').unwrap_or(whole).trim();
            // A command is taken as it is, quotes and all.
            let Some(words) = split(whole, keyword != "proxycommand") else {
                remark(format!("passed over `{}`: a quote is not closed", plain(&keyword)));
                continue;
            };
            match keyword.as_str() {
                "host" => lines.push(Line::Host(words)),
                "match" => lines.push(Line::Match(criteria(&words, &mut remark))),
                "include" if depth >= DEEPEST || self.files >= MOST_FILES => {
                    remark("passed over `include`: too many files in each other".to_owned());
                }
                "include" => {
                    let found = words.iter().flat_map(|pattern| (self.find)(pattern));
                    let found: Vec<Included> = found.collect();
                    self.files += found.len();
                    let files =
                        found.iter().map(|file| self.file(&file.name, &file.text, depth + 1));
                    lines.push(Line::Include(files.collect()));
                }
                _ => {
                    let taken = keyword::take(&mut Way::default(), &keyword, &words, whole);
                    if taken == Taken::BadValue {
                        remark(format!(
                            "passed over `{}`: its value cannot be understood",
                            plain(text)
                        ));
                    }
                    let whole = whole.to_owned();
                    lines.push(Line::Set(Set { keyword, words, whole, file, place }));
                }
            }
        }
        self.remarks.extend(report.into_problems().0);
        lines
    }
}

fn criteria(words: &[String], remark: &mut dyn FnMut(String)) -> Vec<Criterion> {
    let mut criteria = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, wanted) = match word.strip_prefix('!') {
            Some(name) => (name, false),
            None => (word.as_str(), true),
        };
        let (name, inline) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (name, None),
        };
        let name = name.to_ascii_lowercase();
        if name == "all" && wanted {
            continue;
        }
        let kind = match name.as_str() {
            "host" => Criterion::Host,
            "originalhost" => Criterion::Given,
            "user" => Criterion::User,
            "localuser" => Criterion::LocalUser,
            _ => {
                remark(format!("passed over `match {}`: it cannot be judged here", plain(word)));
                criteria.push(Criterion::Unknown);
                break;
            }
        };
        match inline.or_else(|| words.next().cloned()) {
            Some(patterns) => {
                criteria.push(kind(patterns.split(',').map(str::to_owned).collect(), wanted));
            }
            None => criteria.push(Criterion::Unknown),
        }
    }
    criteria
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connection::settle;

    fn read(text: &str) -> SshConfig {
        let find = |pattern: &str| {
            let text = match pattern {
                "more" => "User included\nHost other\nPort 9\n",
                _ => return Vec::new(),
            };
            vec![Included { name: pattern.to_owned(), text: text.to_owned() }]
        };
        SshConfig::parse("config", text, Some("me".to_owned()), &find)
    }

    #[test]
    fn a_match_that_cannot_be_judged_leaks_nowhere() {
        let config = read("Host a\nUser x\nMatch exec \"true\"\nPort 9999\nHost *\nPort 7\n");
        let way = config.way("a", None);
        assert_eq!((way.user.as_deref(), way.port), (Some("x"), Some(7)));
        let remarks: Vec<String> = config.remarks().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(remarks.join("\n"), @r###"config:3:1: passed over `match exec`: it cannot be judged here"###);
    }

    #[test]
    fn what_cannot_be_understood_is_told_by_its_line() {
        let config = read(
            "Host a\nPort ssh\nUser \"pi\nStrictHostKeyChecking perhaps\nProxyJump @b\nUser a@b\n\
             Match Host a User\nIdentityFile \nPort 7\n",
        );
        let remarks: Vec<String> = config.remarks().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(remarks.join("\n"), @r"
        config:2:1: passed over `Port ssh`: its value cannot be understood
        config:3:1: passed over `user`: a quote is not closed
        config:4:1: passed over `StrictHostKeyChecking perhaps`: its value cannot be understood
        config:5:1: passed over `ProxyJump @b`: its value cannot be understood
        config:6:1: passed over `User a@b`: its value cannot be understood
        config:8:1: passed over `IdentityFile`: its value cannot be understood
        ");
        assert_eq!(config.way("a", None).port, None);
    }

    #[test]
    fn a_file_that_includes_itself_often_ends() {
        let text = "Include config\n".repeat(20) + "Port 5\n";
        let find = |_: &str| vec![Included { name: "config".to_owned(), text: text.clone() }];
        let config = SshConfig::parse("config", &text, None, &find);
        assert_eq!(config.way("a", None).port, Some(5));
        let remark = config.remarks().first().unwrap().to_string();
        assert!(
            remark.ends_with("passed over `include`: too many files in each other"),
            "{remark}"
        );
    }

    #[test]
    fn what_is_included_ends_with_its_file() {
        let config = read("Host a b\nInclude more\nPort 5\nHost *\nUser last\n");
        let way = config.way("a", None);
        assert_eq!((way.user.as_deref(), way.port), (Some("included"), Some(5)));
        assert_eq!(config.way("other", None).user.as_deref(), Some("last"));
        assert_eq!(config.way("other", None).port, None);
    }

    #[test]
    fn hosts_on_the_way_have_settings_of_their_own() {
        let config = read(
            "Host kiosk\nHostName 10.0.0.1\nProxyJump inner\nHost inner\nProxyJump outer\nUser ops\n\
             Host outer\nPort 2222\nIdentityFile %d/%u@%n\n",
        );
        let login = settle(Way::default(), "kiosk", &config);
        let jump: Vec<_> = login
            .jump
            .iter()
            .map(|hop| format!("{}@{}:{}", hop.user, hop.host, hop.port))
            .collect();
        assert_eq!((login.host.as_str(), login.user.as_str()), ("10.0.0.1", "pi"));
        assert_eq!(jump, ["me@outer:2222", "ops@inner:22"]);
        assert_eq!(login.jump[0].identities, ["~/me@outer"]);
        let closed = Way { config: Some(false), ..Way::default() };
        assert_eq!(settle(closed, "kiosk", &config).jump, []);
    }

    #[test]
    fn a_circle_of_hosts_ends() {
        let config = read("Host *\nProxyJump a\n");
        assert!(!settle(Way::default(), "b", &config).jump.is_empty());
        let many = read("Host *\nProxyJump a,b,c,d,e,f,g,h,i,j,k,l\n");
        assert!(settle(Way::default(), "m", &many).jump.len() <= 8 * 12);
    }
}
