//! A package archive in a folder, with tiny packages: a kernel with three modules, and a tool.

use migos_payload::digest::Sha256;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::{NamedTempFile, TempDir};

const RELEASE: &str = "9.9-test";

/// A recipe of the test's own packages.
pub(crate) fn recipe() -> String {
    format!(
        r#"
recipe: 1
name: test
about: packages made by a test
architecture: arm64
restart: builtin
limit: 1000000
compression: gzip
sources:
  - {{ name: test, suite: stable, components: [main], keyring: /nowhere, keyring_package: none }}
boards: [4B]
kernels:
  - {{ package: linux-image-test, image: "boot/vmlinuz-{{release}}", gzip: true, names: [kernel8.img] }}
device_trees:
  folder: usr/lib/linux-image-{RELEASE}
  files: {{ bcm2711-rpi-4-b.dtb: upstream-name.dtb }}
modules: [beta_driver]
packages: [test-tools]
programs: [bin/tool]
applets: [{{ folder: bin, names: [sh] }}]
firmware: [test/chip]
"#
    )
}

/// A static program for the boards, which does nothing: an ELF header and one loaded segment.
pub(crate) fn program() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&elf(2, 183)).unwrap();
    file
}

/// The smallest file that is a 64-bit ELF file of this type and machine (ELF specification, 64-bit).
fn elf(kind: u16, machine: u16) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([kind, machine].iter().flat_map(|it| it.to_le_bytes()));
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend([0x40_0000_u64, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend([64_u16, 56, 0, 64, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
    bytes
}

/// A module: an object file whose section `.modinfo` says what must be loaded before it.
fn module(before: &str) -> Vec<u8> {
    let names = b"\0.modinfo\0.shstrtab\0";
    let before = match before {
        "" => String::new(),
        name => format!("softdep=pre: {name}\0"),
    };
    let info = format!("license=GPL\0{before}vermagic={RELEASE} SMP\0");
    let (info_at, names_at) = (64_u64, 64 + info.len() as u64);
    let sections_at = (names_at + names.len() as u64).next_multiple_of(8);
    let mut bytes = elf(1, 183);
    bytes[40..48].copy_from_slice(&sections_at.to_le_bytes());
    bytes[60..62].copy_from_slice(&3_u16.to_le_bytes());
    bytes[62..64].copy_from_slice(&2_u16.to_le_bytes());
    bytes.extend(info.as_bytes());
    bytes.extend(names);
    bytes.resize(usize::try_from(sections_at).unwrap(), 0);
    let mut section = |name: u32, kind: u32, flags: u64, at: u64, size: usize| {
        bytes.extend([name, kind].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend([flags, 0, at, size as u64].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend([0_u32, 0].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend([1_u64, 0].iter().flat_map(|it| it.to_le_bytes()));
    };
    section(0, 0, 0, 0, 0);
    section(1, 1, 2, info_at, info.len());
    section(10, 3, 0, names_at, names.len());
    bytes
}

/// A key to sign with.
pub(crate) struct Keys {
    home: TempDir,
    public: PathBuf,
}

impl Keys {
    pub(crate) fn make() -> Self {
        let home = tempfile::tempdir().unwrap();
        let public = home.path().join("public.gpg");
        let keys = Keys { home, public };
        keys.gpg(&["--passphrase", "", "--quick-generate-key", "test", "ed25519", "sign", "never"]);
        keys.gpg(&["--output", keys.public.to_str().unwrap(), "--export"]);
        keys
    }

    /// The file of the public key.
    pub(crate) fn public(&self) -> &Path {
        &self.public
    }

    fn gpg(&self, args: &[&str]) {
        let home = self.home.path().to_str().unwrap();
        run("gpg", &[&["--batch", "--quiet", "--yes", "--homedir", home], args].concat());
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let home = self.home.path().to_str().unwrap();
        run("gpgconf", &["--homedir", home, "--kill", "all"]);
    }
}

/// An archive; not signed when it is made.
pub(crate) struct Archive {
    folder: TempDir,
}

impl Archive {
    pub(crate) fn make() -> Self {
        let archive = Archive { folder: tempfile::tempdir().unwrap() };
        let base = format!("lib/modules/{RELEASE}");
        let image = format!("linux-image-{RELEASE}");
        archive.package(
            &image,
            "9.9-1",
            "",
            &[
                (format!("boot/vmlinuz-{RELEASE}"), b"a kernel".to_vec()),
                (format!("usr/lib/linux-image-{RELEASE}/upstream-name.dtb"), b"a tree".to_vec()),
                (format!("{base}/kernel/alpha.ko"), module("")),
                (format!("{base}/kernel/beta-driver.ko"), module("alpha")),
                (format!("{base}/kernel/unused.ko"), module("")),
                (
                    format!("{base}/modules.order"),
                    b"kernel/alpha.ko\nkernel/beta-driver.ko\n".to_vec(),
                ),
                (format!("{base}/modules.builtin"), b"kernel/fs/inside.ko\n".to_vec()),
            ],
        );
        archive.package("linux-image-test", "9.9-1", &image, &[]);
        archive.package(
            "test-tools",
            "1.0",
            "",
            &[
                ("bin/tool".to_owned(), elf(2, 183)),
                ("lib/firmware/test/chip-1.bin".to_owned(), b"firmware".to_vec()),
                ("lib/firmware/test/other.bin".to_owned(), b"not asked for".to_vec()),
            ],
        );
        archive.index();
        archive
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    fn package(&self, name: &str, version: &str, depends: &str, files: &[(String, Vec<u8>)]) {
        let tree = tempfile::tempdir().unwrap();
        let mut control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: arm64\nMaintainer: a test <test@example.org>\nDescription: made by a test\n"
        );
        if !depends.is_empty() {
            control += &format!("Depends: {depends}\n");
        }
        put(&tree.path().join("DEBIAN/control"), control.as_bytes());
        for (path, content) in files {
            put(&tree.path().join(path), content);
        }
        fs::create_dir_all(self.at("pool")).unwrap();
        let deb = self.at("pool").join(format!("{name}.deb"));
        run("dpkg-deb", &["--root-owner-group", "-b", text(tree.path()), text(&deb)]);
    }

    /// Writes `Packages` and `Release`.
    fn index(&self) {
        let mut packages = String::new();
        let mut names: Vec<_> =
            fs::read_dir(self.at("pool")).unwrap().map(|it| it.unwrap().path()).collect();
        names.sort();
        for deb in names {
            let content = fs::read(&deb).unwrap();
            packages += &run("dpkg-deb", &["-f", text(&deb)]);
            packages += &format!(
                "Filename: pool/{}\nSize: {}\nSHA256: {}\n\n",
                deb.file_name().unwrap().to_str().unwrap(),
                content.len(),
                Sha256::of(&content)
            );
        }
        let index = "main/binary-arm64/Packages";
        put(&self.at("dists/stable").join(index), packages.as_bytes());
        let release = format!(
            "Origin: Test\nSuite: stable\nCodename: stable\nDate: Mon, 01 Jun 2026 00:00:00 UTC\n\
             Architectures: arm64\nComponents: main\nSHA256:\n {} {} {index}\n",
            Sha256::of(packages.as_bytes()),
            packages.len()
        );
        put(&self.at("dists/stable/Release"), release.as_bytes());
    }

    /// Signs the release, whoever had signed it before.
    pub(crate) fn sign(&self, keys: &Keys) {
        let (plain, signed) = (self.at("dists/stable/Release"), self.at("dists/stable/InRelease"));
        keys.gpg(&["--clearsign", "--output", text(&signed), text(&plain)]);
    }

    /// Changes the release after it was signed.
    pub(crate) fn change_release(&self) {
        let signed = self.at("dists/stable/InRelease");
        let changed = fs::read_to_string(&signed).unwrap().replace("Origin: Test", "Origin: Tent");
        fs::write(signed, changed).unwrap();
    }

    /// Changes packages after their digests were signed.
    pub(crate) fn change_packages(&self) {
        for entry in fs::read_dir(self.at("pool")).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    }
}

/// The paths in a ramdisk packed with gzip.
pub(crate) fn tree(ramdisk: &[u8]) -> String {
    let script = "gunzip -c 2>/dev/null | busybox cpio -t 2>/dev/null";
    let mut child = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(ramdisk).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn put(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
