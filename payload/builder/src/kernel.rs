//! A kernel out of its package: image, device trees, and the modules it needs with what those depend on.

use crate::host::{DEPMOD, MODPROBE, XZ, ZSTD};
use crate::process::{Process, ProcessError};
use crate::recipe;
use crate::root::{Root, RootError};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// What busybox's modprobe reads of what depmod writes.
const INDEXES: [&str; 4] = ["modules.alias", "modules.builtin", "modules.dep", "modules.softdep"];

/// Why a kernel cannot be taken out of its package.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// A file is missing.
    #[error("failed to read a file of the kernel {0}")]
    Read(String, #[source] RootError),
    /// Modules of no kernel, or of several.
    #[error("the package {package} has modules of {found} kernels, 1 is expected")]
    Release {
        /// The package.
        package: String,
        /// How many there are.
        found: usize,
    },
    /// depmod, modprobe or a decompressor failed.
    #[error("failed to work out the modules of the kernel {0}")]
    Modules(String, #[source] ProcessError),
    /// The recipe names modules that this kernel neither has nor has built in.
    #[error("the kernel {release} has no module {names}; correct `modules:` in the recipe")]
    Unknown {
        /// The kernel.
        release: String,
        /// The modules.
        names: String,
    },
    /// A folder to work in could not be written.
    #[error("failed to copy the modules of the kernel {0}")]
    Copy(String, #[source] io::Error),
    /// Packing failed.
    #[error("failed to pack the kernel {0}")]
    Pack(String, #[source] io::Error),
}

/// A kernel in its unpacked package.
pub(crate) struct Kernel<'a> {
    root: &'a Root,
    pub(crate) release: String,
}

/// Modules, ready for the ramdisk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modules {
    /// Path in the ramdisk and content.
    pub(crate) files: Vec<(String, Vec<u8>)>,
    /// Names in the order of loading.
    pub(crate) order: Vec<String>,
}

impl<'a> Kernel<'a> {
    pub(crate) fn find(root: &'a Root, package: &str) -> Result<Self, KernelError> {
        let mut releases = root.names("lib/modules");
        match (releases.pop(), releases.len()) {
            (Some(release), 0) => Ok(Kernel { root, release }),
            (last, rest) => {
                let found = rest + usize::from(last.is_some());
                Err(KernelError::Release { package: package.to_owned(), found })
            }
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, KernelError> {
        let path = path.replace("{release}", &self.release);
        self.root.read(&path).map_err(|source| KernelError::Read(self.release.clone(), source))
    }

    /// The image as the firmware takes it.
    pub(crate) fn image(&self, kernel: &recipe::Kernel) -> Result<Vec<u8>, KernelError> {
        let image = self.read(&kernel.image)?;
        if !kernel.gzip || image.starts_with(&[0x1f, 0x8b]) {
            return Ok(image);
        }
        gzip(&image).map_err(|source| KernelError::Pack(self.release.clone(), source))
    }

    /// Files beside the kernel, by their names in the payload.
    pub(crate) fn files(
        &self,
        files: &recipe::Files,
    ) -> Result<Vec<(String, Vec<u8>)>, KernelError> {
        let read = |(name, from): (&String, &String)| {
            Ok((name.clone(), self.read(&format!("{}/{from}", files.folder))?))
        };
        files.files.iter().map(read).collect()
    }

    /// The modules of these names and all that they depend on.
    pub(crate) fn modules(&self, names: &[String]) -> Result<Modules, KernelError> {
        let failed = |source| KernelError::Modules(self.release.clone(), source);
        self.depmod(self.root.path()).map_err(failed)?;
        let show = Process::new(&MODPROBE)
            // The computer's own blacklists and options are about other hardware.
            .args(["-C", "/dev/null", "-d"])
            .arg(self.root.path())
            .args(["-S", &self.release, "--show-depends", "-a"])
            .args(names);
        let said = show.attempt(Vec::new()).map_err(failed)?;
        if !said.succeeded {
            let absent = said.complaint.split("; ").filter_map(|line| {
                line.split_once("Module ")?.1.split_once(" not found").map(|(name, _)| name)
            });
            let names = absent.collect::<Vec<_>>().join(", ");
            let release = self.release.clone();
            return match names.is_empty() {
                true => Err(failed(ProcessError::Failed {
                    program: MODPROBE.program,
                    complaint: said.complaint,
                })),
                false => Err(KernelError::Unknown { release, names }),
            };
        }
        let base = format!("lib/modules/{}/", self.release);
        let mut paths: Vec<String> = Vec::new();
        for line in said.text().lines() {
            let path = line.strip_prefix("insmod ").and_then(|rest| rest.split(' ').next());
            // Paths are the folder's, then the module's own from `kernel/` on.
            let inside = path.and_then(|path| path.split_once(&base)).map(|(_, inside)| inside);
            if let Some(inside) = inside.filter(|it| !paths.iter().any(|known| known == it)) {
                paths.push(inside.to_owned());
            }
        }
        self.gather(&base, &paths)
    }

    /// Copies the modules, unpacked, into a folder of their own and has them indexed there.
    fn gather(&self, base: &str, paths: &[String]) -> Result<Modules, KernelError> {
        let failed = |source| KernelError::Modules(self.release.clone(), source);
        let copy = |source| KernelError::Copy(self.release.clone(), source);
        let folder = tempfile::tempdir().map_err(copy)?;
        let mut modules = Modules { files: Vec::new(), order: Vec::new() };
        for path in paths {
            let packed = self.read(&format!("{base}{path}"))?;
            let (path, content) = match path.rsplit_once('.') {
                // The kernel that loads them may not unpack them.
                Some((bare, "xz")) => (bare, unpack(&XZ, packed).map_err(failed)?),
                Some((bare, "zst")) => (bare, unpack(&ZSTD, packed).map_err(failed)?),
                _ => (path.as_str(), packed),
            };
            let file = folder.path().join(base).join(path);
            put(&file, &content).map_err(copy)?;
            let name = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".ko");
            modules.order.push(name.replace('-', "_"));
            modules.files.push((format!("{base}{path}"), content));
        }
        for name in ["modules.builtin", "modules.order"] {
            put(&folder.path().join(base).join(name), &self.read(&format!("{base}{name}"))?)
                .map_err(copy)?;
        }
        self.depmod(folder.path()).map_err(failed)?;
        for name in INDEXES {
            let content = fs::read(folder.path().join(base).join(name)).map_err(copy)?;
            modules.files.push((format!("{base}{name}"), content));
        }
        Ok(modules)
    }

    fn depmod(&self, base: &Path) -> Result<(), ProcessError> {
        // The computer's own depmod.d names folders to search that this kernel does not have.
        let depmod = Process::new(&DEPMOD).args(["-C", "/dev/null", "-b"]).arg(base);
        depmod.arg(&self.release).run().map(drop)
    }
}

fn unpack(tool: &'static crate::host::Tool, packed: Vec<u8>) -> Result<Vec<u8>, ProcessError> {
    Process::new(tool).args(["-q", "-d", "-c"]).run_with(packed).map(|said| said.out)
}

#[expect(clippy::disallowed_methods, reason = "into a folder of our own that nobody else reads")]
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, content)
}

/// The same bytes from the same bytes: no name and no time in the header.
pub(crate) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    packer.write_all(bytes)?;
    packer.finish()
}
