//! What a device's probe told, line by line.

use std::str::FromStr;

use crate::card::Space;

/// The lines of a probe's text, each a key and a value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told(Vec<(String, String)>);

/// A line of `/proc/mounts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mounted<'a> {
    /// The device.
    pub(crate) source: &'a str,
    /// The file system's type.
    pub(crate) kind: &'a str,
    /// True if it is mounted read-write.
    pub(crate) writable: bool,
}

impl Told {
    pub(crate) fn read(text: &str) -> Self {
        let lines = text.split('\n').skip(1).filter(|line| !line.is_empty());
        let pair = |line: &str| {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            (key.to_owned(), value.to_owned())
        };
        Self(lines.map(pair).filter(|(key, _)| key != "end").collect())
    }

    /// Every line, in order.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// All values of a key.
    pub(crate) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.lines().filter(move |(known, _)| *known == key).map(|(_, value)| value)
    }

    /// The first value of a key, if it says anything.
    pub(crate) fn first(&self, key: &str) -> Option<&str> {
        self.all(key).next().filter(|value| !value.is_empty())
    }

    /// A decimal number.
    pub(crate) fn number<T: FromStr>(&self, key: &str) -> Option<T> {
        self.first(key)?.parse().ok()
    }

    /// A file, line by line.
    pub(crate) fn text(&self, key: &str) -> String {
        self.all(key).map(|line| format!("{line}\n")).collect()
    }

    /// The Ethernet or Wi-Fi address.
    pub(crate) fn mac(&self) -> Option<&str> {
        self.first("mac")?.split_once(' ').map(|(_, mac)| mac)
    }

    /// The files that set up its network, by path. Their secrets were never told.
    pub(crate) fn network_files(&self) -> Vec<(String, String)> {
        let file = |value: &str| {
            let (number, path) = value.split_once(' ')?;
            let own = |line| str::strip_prefix(line, number)?.strip_prefix(' ');
            let lines = self.all("net.line").filter_map(own).map(|line| format!("{line}\n"));
            path.starts_with('/').then(|| (path.to_owned(), lines.collect()))
        };
        self.all("net.file").filter_map(file).collect()
    }

    /// The room on a file system, if it is one that can be.
    pub(crate) fn space(&self, key: &str) -> Option<Space> {
        let numbers: Vec<u64> =
            self.first(key)?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [cluster, free, total] = numbers[..] else { return None };
        let is_sane = cluster > 0 && cluster.checked_mul(total.max(free)).is_some();
        is_sane.then_some(Space { cluster, free, total })
    }

    /// First sector and number of sectors of the boot partition.
    pub(crate) fn extent(&self) -> Option<(u64, u64)> {
        let (start, sectors) = self.first("boot.extent")?.split_once(' ')?;
        let (start, sectors) = (start.parse::<u64>().ok()?, sectors.parse::<u64>().ok()?);
        // Whoever counts its bytes must not run over.
        start.checked_add(sectors)?.checked_mul(1024)?;
        Some((start, sectors))
    }

    /// What is mounted at a path.
    pub(crate) fn mounted(&self, path: &str) -> Option<Mounted<'_>> {
        let read = |line| {
            let fields: Vec<&str> = str::split(line, ' ').collect();
            let [source, at, kind, options, ..] = fields[..] else { return None };
            let writable = options.split(',').any(|option| option == "rw");
            (at == path).then_some(Mounted { source, kind, writable })
        };
        self.all("mount").filter_map(read).last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_by_key_and_nonsense_is_not_known() {
        let told = Told::read(
            "migos-probe 1\nmodel a Pi\nhat\nconfig.txt a=1\nconfig.txt \n\
             boot.space 512 3 9\nroot.space 0 3 9\nboot.extent 8192 18446744073709551615\n\
             mount /dev/a / ext4 rw 0 0\nmount /dev/b / overlay ro 0 0\nend ok\n",
        );
        assert_eq!((told.first("model"), told.first("hat")), (Some("a Pi"), None));
        assert_eq!(told.text("config.txt"), "a=1\n\n");
        assert_eq!(told.space("boot.space"), Some(Space { cluster: 512, free: 3, total: 9 }));
        assert_eq!((told.space("root.space"), told.extent()), (None, None));
        let root = Mounted { source: "/dev/b", kind: "overlay", writable: false };
        assert_eq!((told.mounted("/"), told.mounted("/boot")), (Some(root), None));
        let told = Told::read(
            "migos-probe 1\nnet.file 1 /etc/a\nnet.line 1 x y\nnet.line 1 \nnet.file 11 /etc/b\n\
             net.line 11  z\nnet.file 2 c\nend ok\n",
        );
        let files = [("/etc/a", "x y\n\n"), ("/etc/b", " z\n")];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(told.network_files(), files);
        assert_eq!(told.lines().filter(|(key, _)| *key == "end").count(), 0);
    }
}
