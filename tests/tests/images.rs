//! Images of balenaOS, from the lab's balena API to what is sent to devices: fetched, looked into, refused.

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use migos_lab::balena_api::{ApiConfig, BalenaApi, Fault, OsImage, OsState};
use migos_tests::fleet::{Ended, Home};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

const DEVICE_TYPE: &str = "raspberrypi3";
const VERSION: &str = "6.0.24+rev1";
const NAME: &str = "images/raspberrypi3-6.0.24+rev1.img.gz";

/// A small image with real file systems, packed by gzip.
fn image(folder: &Path, prefix: &str, device_type: &str) -> Result<Vec<u8>> {
    let raw = folder.join(prefix);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../payload/builder/tests/balena_os.sh");
    let mut made = Command::new("sh");
    made.arg(script).arg(&raw).args([prefix, device_type, "armv7hf", VERSION]);
    let made = made.output()?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&fs::read(raw)?)?;
    Ok(packed.finish()?)
}

/// An API that gives out this file.
async fn api(folder: &Path, content: &[u8]) -> Result<BalenaApi> {
    let file = folder.join("image.gz");
    #[expect(clippy::disallowed_methods, reason = "a file for a test")]
    fs::write(&file, content)?;
    let image = |version: &str, state| OsImage {
        device_type: DEVICE_TYPE.to_owned(),
        architecture: "armv7hf".to_owned(),
        version: version.to_owned(),
        variant: String::new(),
        state,
        esr: false,
        file: PathBuf::from(&file),
    };
    let images = vec![
        image("6.0.19", OsState::Final),
        image(VERSION, OsState::Final),
        image("6.1.0", OsState::Draft),
    ];
    let config = ApiConfig { images, ..ApiConfig::new("token", Vec::new()) };
    Ok(BalenaApi::start("127.0.0.1:0".parse()?, config).await?)
}

fn fetch(home: &Home, api: &str, more: &[&str]) -> Result<Ended> {
    home.run(&[&["image", "fetch", DEVICE_TYPE, "--api", api], more].concat())
}

/// What was said, without what differs from run to run.
fn words(said: &str, api: &BalenaApi) -> String {
    let said = said.replace(&api.addr().to_string(), "HOST");
    let is_digest = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let digests: Vec<String> =
        said.split_whitespace().filter(is_digest).map(str::to_owned).collect();
    digests.iter().fold(said, |said, digest| said.replace(digest, "SHA256"))
}

/// All files below a folder.
fn left(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_image_is_fetched_whole_though_the_line_is_cut() -> Result<()> {
    let (home, folder) = (Home::new()?, tempfile::tempdir()?);
    let content = image(folder.path(), "resin", DEVICE_TYPE)?;
    let api = api(folder.path(), &content).await?;
    api.set_fault(Fault::CutDownloads { after: content.len() / 3, ranges: true });
    let ended = fetch(&home, &api.url(), &[])?;
    ensure!(ended.code == Some(0), "{}{}", ended.stdout, ended.stderr);
    ensure!(
        ended
            .stderr
            .contains(&format!("hint: in the inventory: images: {{ {DEVICE_TYPE}: {NAME} }}"))
    );

    let inspected = home.run(&["image", "inspect", NAME])?;
    let lines: Vec<&str> = inspected.stdout.lines().collect();
    insta::assert_snapshot!(lines[..3].join("\n"), @r"
    image images/raspberrypi3-6.0.24+rev1.img.gz
      version   balenaOS 6.0.24+rev1
      for       raspberrypi3 (armv7hf)
    ");
    insta::assert_snapshot!(lines[lines.len() - 6..].join("\n"), @r"
    partitions  1  at 4.1 MB   2 MB     fat       resin-boot
                2  at 6.2 MB   1 MB     ext       resin-rootA
                3  at 7.3 MB   1 MB     ext       resin-rootB
                4  at 8.3 MB   4.1 MB   extended
                5  at 9.4 MB   1 MB     ext       resin-state
                6  at 11 MB    1 MB     ext       resin-data
    ");
    let verified = home.run(&["image", "verify", NAME])?;
    ensure!(verified.code == Some(0), "{}", verified.stderr);
    let json = home.run(&["image", "inspect", NAME, "--format", "json"])?;
    let json: serde_json::Value = serde_json::from_str(&json.stdout)?;
    assert_eq!(json["partitions"][5]["label"], "resin-data");
    assert_eq!(json["device_type"], DEVICE_TYPE);
    assert_eq!(left(&home.path().join("images")).len(), 2, "image and manifest");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_not_prepared_is_looked_into() -> Result<()> {
    let (home, folder) = (Home::new()?, tempfile::tempdir()?);
    let content = image(folder.path(), "resin", DEVICE_TYPE)?;
    home.write("downloaded.img.gz", &content)?;
    let inspected = home.run(&["image", "inspect", "downloaded.img.gz"])?;
    ensure!(inspected.code == Some(0), "{}", inspected.stderr);
    insta::assert_snapshot!(inspected.stdout, @r"
    image downloaded.img.gz
      version   balenaOS 6.0.24+rev1
      for       raspberrypi3 (armv7hf)
      form      not prepared
      on card   12 MB
      partitions  1  at 4.1 MB   2 MB     fat       resin-boot
                  2  at 6.2 MB   1 MB     ext       resin-rootA
                  3  at 7.3 MB   1 MB     ext       resin-rootB
                  4  at 8.3 MB   4.1 MB   extended
                  5  at 9.4 MB   1 MB     ext       resin-state
                  6  at 11 MB    1 MB     ext       resin-data
    ");
    home.write("cut.img.gz", &content[..content.len() - 9])?;
    let refused = home.run(&["image", "inspect", "cut.img.gz"])?;
    assert_eq!(refused.code, Some(3));
    insta::assert_snapshot!(refused.stderr, @r"
    error: the image cut.img.gz cannot be used
    because: the file ends early: it is cut off; get it anew
    ");
    home.write("flasher.img.gz", image(folder.path(), "flash", DEVICE_TYPE)?)?;
    assert_eq!(home.run(&["image", "inspect", "flasher.img.gz"])?.code, Some(3));
    let refused = home.run(&["image", "prepare", "flasher.img.gz", "-o", "flasher.chunks"])?;
    assert_eq!(refused.code, Some(3));
    insta::assert_snapshot!(refused.stderr, @r"
    error: failed to prepare flasher.img.gz
    because: it is a flasher image (its partitions are called flash-…), which only installs another one; balena gives out images of cards for every Pi: choose one of those
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_asked_is_refused_and_nothing_is_left() -> Result<()> {
    let (home, folder) = (Home::new()?, tempfile::tempdir()?);
    let good = image(folder.path(), "resin", DEVICE_TYPE)?;
    let other = image(folder.path(), "resin", "raspberrypi4-64")?;
    let mut said = String::new();
    for (content, version) in
        [(&other[..], VERSION), (&good, "6.0.19"), (&good[..good.len() / 2], VERSION)]
    {
        let api = api(folder.path(), content).await?;
        let ended = fetch(&home, &api.url(), &["--version", version])?;
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        let lines = words(&ended.stderr, &api);
        said += &lines
            .lines()
            .filter(|line| line.starts_with("because"))
            .collect::<Vec<_>>()
            .join("\n");
        said += "\n";
        assert!(left(&home.path().join("images")).is_empty());
    }
    insta::assert_snapshot!(said, @r"
    because: it is an image for raspberrypi4-64, not for raspberrypi3
    because: it is an image of balenaOS 6.0.24+rev1, not of version 6.0.19
    because: the gzip file ends early, after 6.3 MB of the image: it is cut off; get it anew
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_with_what_is() -> Result<()> {
    let (home, folder) = (Home::new()?, tempfile::tempdir()?);
    let api = api(folder.path(), &[]).await?;
    let ended = fetch(&home, &api.url(), &["--version", "5.0.0"])?;
    assert_eq!(ended.code, Some(3));
    insta::assert_snapshot!(words(&ended.stderr, &api), @r"
    error: HOST has no balenaOS 5.0.0 for raspberrypi3
    hint: the newest are 6.0.24+rev1, 6.0.19; leave out --version for the latest
    ");
    let config = ApiConfig::new("token", Vec::new());
    let open = BalenaApi::start("127.0.0.1:0".parse()?, config).await?;
    let ended = fetch(&home, &open.url(), &[])?;
    assert_eq!(ended.code, Some(3));
    insta::assert_snapshot!(words(&ended.stderr, &open), @r"
    error: HOST has no balenaOS for raspberrypi3
    hint: device types of Pis: raspberry-pi, raspberry-pi2, raspberrypi3, raspberrypi3-64, raspberrypi0-2w-64, raspberrypi4-64, raspberrypi400-64, raspberrypi5
    hint: openBalena gives out no images: take them from balenaCloud by leaving out --api, or prepare a file that you have: migos-fleet image prepare FILE -o IMAGE
    ");
    open.set_fault(Fault::Away);
    let ended = fetch(&home, &open.url(), &[])?;
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_half_image() -> Result<()> {
    let (home, folder) = (Home::new()?, tempfile::tempdir()?);
    let api = api(folder.path(), &image(folder.path(), "resin", DEVICE_TYPE)?).await?;
    let full = home.path().join("full");
    fs::create_dir(&full)?;
    // A disk of one page, of which nobody else knows.
    let script =
        "mount -t tmpfs -o size=4k full full && \"$@\"; code=$?; ls -A full >&2; exit $code";
    let fetch =
        home.command(&["image", "fetch", DEVICE_TYPE, "--api", &api.url(), "-o", "full/"])?;
    let mut alone = Command::new("unshare");
    alone.args(["-m", "sh", "-c", script, "sh"]).arg(fetch.get_program()).args(fetch.get_args());
    let ended = alone.current_dir(home.path()).output()?;
    let said = String::from_utf8(ended.stderr)?;
    assert_eq!(ended.status.code(), Some(3), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("  ")).skip(1).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    error: failed to fetch balenaOS 6.0.24+rev1 for raspberrypi3
    because: failed to write full/raspberrypi3-6.0.24+rev1.img.gz
    because: No space left on device (os error 28)
    hint: an image takes some 200 MB: free room, or write it elsewhere with --output; nothing was left behind
    ");
    Ok(())
}

#[test]
fn an_interruption_leaves_nothing() -> Result<()> {
    let home = Home::new()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let api = format!("http://{}", listener.local_addr()?);
    // A server that sends the beginning of an image, and then nothing until the client goes away.
    let server = thread::spawn(move || -> Result<()> {
        let versions = format!(
            r#"{{"d":[{{"owns__release":[{{"raw_version":"{VERSION}","variant":""}}]}}]}}"#
        );
        for (length, body) in
            [(versions.len(), versions.as_bytes()), (1 << 20, &[0x1f, 0x8b, 8, 0])]
        {
            let (mut stream, _) = listener.accept()?;
            let mut lines = BufReader::new(stream.try_clone()?).lines();
            while !lines.next().context("no request")??.is_empty() {}
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            )?;
            stream.write_all(body)?;
            let gone = lines.next();
            ensure!(gone.is_none() || gone.is_some_and(|line| line.is_err()));
        }
        Ok(())
    });
    let mut fetch = home.start(&["image", "fetch", DEVICE_TYPE, "--api", &api])?;
    fetch.until_says(", 1 MB")?;
    fetch.signal("INT")?;
    let ended = fetch.end()?;
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    ensure!(ended.stderr.contains("interrupted: nothing was written"), "{}", ended.stderr);
    assert!(left(&home.path().join("images")).is_empty());
    server.join().map_err(|_| anyhow::anyhow!("the server fell"))??;
    Ok(())
}
