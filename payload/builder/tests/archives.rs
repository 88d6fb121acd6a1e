//! Archives made by the test: signed, signed by somebody else, not signed, and changed after signing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

#[path = "archives/archive.rs"]
mod archive;

use archive::{Archive, Keys, program, recipe};
use migos_payload::archive::VerifiedPayload;
use migos_payload_builder::{BuildError, Built, Cache, Chosen, Order, Progress, build};
use std::error::Error;
use std::fs;
use std::path::Path;

fn built_from(
    archive: &Archive,
    keyring: &Path,
    cache: &Path,
    recipe: &str,
) -> Result<Built, BuildError> {
    let recipe = migos_payload_builder::Recipe::parse(recipe).unwrap();
    let chosen = Chosen {
        mirrors: [(String::new(), format!("copy://{}", archive.path().display()))].into(),
        keyrings: [(String::new(), keyring.to_owned())].into(),
    };
    let (cache, program) = (Cache::at(cache), program());
    let order = Order {
        recipe: &recipe,
        chosen: &chosen,
        program: program.path(),
        cache: &cache,
        version: "9.9.9",
    };
    let mut steps = Vec::new();
    build(order, &mut |progress: Progress| steps.push(progress.to_string()))
}

fn causes(error: &BuildError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(": {cause}");
        next = cause.source();
    }
    text
}

#[test]
fn a_signed_archive_gives_the_same_payload_twice() {
    let keys = Keys::make();
    let archive = Archive::make();
    archive.sign(&keys);
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = built_from(&archive, keys.public(), first.path(), &recipe()).unwrap();
    let two = built_from(&archive, keys.public(), second.path(), &recipe()).unwrap();
    assert!(one.tarball == two.tarball, "two builds are byte-equal");

    let payload = VerifiedPayload::read(&one.tarball).unwrap();
    let paths: Vec<_> = payload.manifest().files.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["bcm2711-rpi-4-b.dtb", "initrd.migos", "kernel8.img", "overlays/README"]);
    assert_eq!(one.packages, ["linux-image-9.9-test 9.9-1", "test-tools 1.0"]);
    let text = archive::tree(payload.content("initrd.migos").unwrap());
    insta::assert_snapshot!(text, @r"
    bin
    bin/migos-ctl
    bin/sh
    bin/tool
    dev
    dev/console
    etc
    etc/group
    etc/migos
    etc/migos/modules
    etc/migos/packages
    etc/nsswitch.conf
    etc/passwd
    etc/shells
    init
    lib
    lib/firmware
    lib/firmware/test
    lib/firmware/test/chip-1.bin
    lib/modules
    lib/modules/9.9-test
    lib/modules/9.9-test/kernel
    lib/modules/9.9-test/kernel/alpha.ko
    lib/modules/9.9-test/kernel/beta-driver.ko
    lib/modules/9.9-test/modules.alias
    lib/modules/9.9-test/modules.builtin
    lib/modules/9.9-test/modules.dep
    lib/modules/9.9-test/modules.softdep
    mnt
    proc
    root
    run
    sys
    tmp
    var
    ");

    // A cache that somebody changed is not believed.
    for (name, _) in Cache::at(first.path()).contents().unwrap() {
        let file = first.path().join("apt-packages").join(name);
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
    }
    let again = built_from(&archive, keys.public(), first.path(), &recipe()).unwrap();
    assert!(again.tarball == one.tarball, "changed packages were fetched again");
}

#[test]
fn an_archive_without_the_right_signature_is_refused() {
    let (keys, others) = (Keys::make(), Keys::make());
    let archive = Archive::make();
    let cache = tempfile::tempdir().unwrap();
    let refused = || {
        let error = built_from(&archive, keys.public(), cache.path(), &recipe()).unwrap_err();
        assert!(matches!(error, BuildError::Packages(..)), "{error}");
        causes(&error)
    };
    let unsigned = refused();
    assert!(unsigned.contains("cannot be trusted or reached"), "{unsigned}");
    assert!(unsigned.contains("is not signed"), "{unsigned}");

    archive.sign(&others);
    let foreign = refused();
    assert!(foreign.contains("cannot be trusted or reached"), "{foreign}");
    assert!(foreign.contains("NO_PUBKEY") || foreign.contains("not signed"), "{foreign}");

    archive.sign(&keys);
    archive.change_release();
    let changed = refused();
    assert!(changed.contains("cannot be trusted or reached"), "{changed}");
    assert!(Cache::at(cache.path()).contents().unwrap().is_empty(), "nothing was fetched");
}

#[test]
fn a_package_that_is_not_the_signed_one_is_refused() {
    let keys = Keys::make();
    let archive = Archive::make();
    archive.sign(&keys);
    archive.change_packages();
    let cache = tempfile::tempdir().unwrap();
    let error = built_from(&archive, keys.public(), cache.path(), &recipe()).unwrap_err();
    let text = causes(&error);
    assert!(text.contains("failed to fetch packages"), "{text}");
    assert!(text.contains("apt-get failed"), "{text}");
}

#[test]
fn a_recipe_that_asks_for_what_is_not_there_is_told_so() {
    let keys = Keys::make();
    let archive = Archive::make();
    archive.sign(&keys);
    let cache = tempfile::tempdir().unwrap();
    let said = |recipe: String| {
        causes(&built_from(&archive, keys.public(), cache.path(), &recipe).unwrap_err())
    };
    insta::assert_snapshot!(said(recipe().replace("beta_driver", "gamma_driver")), @"failed to take the kernel out of linux-image-test: the kernel 9.9-test has no module gamma_driver; correct `modules:` in the recipe");
    insta::assert_snapshot!(said(recipe().replace("bin/tool", "bin/hammer")), @"failed to make the ramdisk: failed to gather the programs: failed to read a program: no package has /bin/hammer, which the recipe names");
    insta::assert_snapshot!(said(recipe().replace("test/chip", "test/chop")), @"failed to make the ramdisk: no package has firmware whose name begins with test/chop; correct `firmware:` in the recipe");
    let large = said(recipe().replace("limit: 1000000", "limit: 100"));
    assert!(
        large.starts_with("the payload takes 1 kB, 100 B are allowed: kernels 28 B"),
        "{large}"
    );
    let absent = said(recipe().replace("[test-tools]", "[no-tools]"));
    assert!(absent.contains("failed to find all packages"), "{absent}");
}
